package subscriptions

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Graph describes a graph that is made of a seed.
type Graph struct {
	// Users are named 1 to Users.
	Users int64
	// Mean is how many followers a publisher has in the mean, and how many
	// publishers a follower.
	Mean float64
	// Exponent is that of the power law of followers: the number of publishers
	// with k of them falls as k to the power of -Exponent. 0 means 2.5; it must be
	// more than 2.
	Exponent float64
	// Seed is what the graph follows from.
	Seed uint64
}

// mostUsers keeps products of two of them within 64 bits; fewer than leastUsers have
// no mean that Validate allows.
const (
	leastUsers = 3
	mostUsers  = 1 << 32
)

// Validate reports every field that cannot be used, in one error.
func (g Graph) Validate() error {
	var errs []error
	if g.Users < leastUsers || g.Users > mostUsers {
		errs = append(errs, fmt.Errorf("subscriptions: %d users: use %d to %d", g.Users, leastUsers, int64(mostUsers)))
	} else if !(g.Mean >= 1 && g.Mean <= float64(g.Users-1)/2) {
		errs = append(errs, fmt.Errorf("subscriptions: a mean of %v followers among %d users: use 1 to %v", g.Mean, g.Users, float64(g.Users-1)/2))
	}
	if g.Exponent != 0 && !(g.Exponent > 2 && g.Exponent <= 10) {
		errs = append(errs, fmt.Errorf("subscriptions: a power law with exponent %v: use more than 2, up to 10", g.Exponent))
	}
	return errors.Join(errs...)
}

// Generate makes a new file at path with the graph. How many followers a publisher
// has follows a power law, who they are is drawn evenly: a few have very many, and
// everybody follows about as many. It returns the number of subscriptions. It
// takes as much memory as [Import].
func Generate(ctx context.Context, path string, g Graph) (subscriptions int64, err error) {
	if err := g.Validate(); err != nil {
		return 0, err
	}
	err = build(ctx, path, func(b *builder) (err error) {
		subscriptions, err = b.generate(g)
		return err
	})
	if err != nil {
		return 0, err
	}
	return subscriptions, nil
}

func (b *builder) generate(g Graph) (subscriptions int64, err error) {
	s, err := newSpill(b.folder)
	if err != nil {
		return 0, err
	}
	defer s.close()
	draw := newDrawing(g)
	edges, scratch := make([]edge, 0, runEdges), make([]edge, runEdges)
	flush := func() error {
		edges, scratch = sortEdges(edges, scratch)
		err := s.add(edges)
		edges, scratch = edges[:0], scratch[:runEdges]
		return err
	}
	var ids []int64
	for publisher := int64(1); publisher <= g.Users; publisher++ {
		ids = draw.followers(publisher, ids[:0])
		if len(ids) == 0 {
			continue
		}
		if err := b.put(followersBucket, publisher, ids); err != nil {
			return 0, err
		}
		for _, follower := range ids {
			edges = append(edges, edge{follower, publisher})
			if len(edges) == runEdges {
				if err := flush(); err != nil {
					return 0, err
				}
			}
		}
	}
	if err := flush(); err != nil {
		return 0, err
	}
	subscriptions, _, err = b.putAll(publishersBucket, s)
	return subscriptions, err
}

// drawing draws the followers of each publisher.
//
// The numbers of followers are not drawn one by one: the tail of the law is so
// heavy that the mean of a million draws is off by some percent. Publisher p has
// one of Users equal shares of the law, the one numbered (p*step+shift) mod Users,
// which gives each share to one of them and scatters the large ones.
type drawing struct {
	Graph
	least       float64 // of the law, before rounding
	step, shift uint64
}

func newDrawing(g Graph) drawing {
	if g.Exponent == 0 {
		g.Exponent = 2.5
	}
	random := rand.New(rand.NewPCG(g.Seed, 0))
	d := drawing{Graph: g, shift: random.Uint64N(uint64(g.Users))}
	d.step = 1 + random.Uint64N(uint64(g.Users))
	for gcd(d.step, uint64(g.Users)) != 1 {
		d.step++
	}
	// The mean grows with the least number: halve the interval that has it.
	low, high := 0.0, float64(g.Users-1)
	for range 100 {
		if d.least = (low + high) / 2; d.mean() < g.Mean {
			low = d.least
		} else {
			high = d.least
		}
	}
	return d
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// mean returns the mean of the power law between least and everybody.
func (d *drawing) mean() float64 {
	a, most := d.Exponent, float64(d.Users-1)
	if d.least <= 0 || d.least >= most {
		return d.least
	}
	return (a - 1) / (a - 2) * (math.Pow(d.least, 2-a) - math.Pow(most, 2-a)) / (math.Pow(d.least, 1-a) - math.Pow(most, 1-a))
}

// count returns how many followers a share u of the law has, from 0 to 1.
func (d *drawing) count(u float64) float64 {
	a, most := d.Exponent, float64(d.Users-1)
	return d.least * math.Pow(1-u*(1-math.Pow(d.least/most, a-1)), -1/(a-1))
}

// followers appends the followers of publisher to ids, in ascending order.
func (d *drawing) followers(publisher int64, ids []int64) []int64 {
	random := rand.New(rand.NewPCG(d.Seed, uint64(publisher)))
	share := (uint64(publisher-1)*d.step + d.shift) % uint64(d.Users)
	count := d.count((float64(share) + random.Float64()) / float64(d.Users))
	// The fraction is the probability of one more, so that the mean is kept.
	k := min(int64(count+random.Float64()), d.Users-1)
	if k > d.Users/8 {
		ids = d.pass(random, k, ids)
	} else {
		ids = d.pick(random, k, ids)
	}
	for i, id := range ids { // the others of 1 to Users: leave publisher out
		if id >= publisher {
			ids[i]++
		}
	}
	return ids
}

// pick draws k of 1 to Users-1, where most draws are new.
func (d *drawing) pick(random *rand.Rand, k int64, ids []int64) []int64 {
	for int64(len(ids)) < k {
		for range k - int64(len(ids)) {
			ids = append(ids, 1+random.Int64N(d.Users-1))
		}
		slices.Sort(ids)
		ids = slices.Compact(ids)
	}
	return ids
}

// pass draws k of 1 to Users-1 in one pass over all of them (Knuth, The Art of
// Computer Programming, 3.4.2, algorithm S).
func (d *drawing) pass(random *rand.Rand, k int64, ids []int64) []int64 {
	for id := int64(1); k > 0; id++ {
		if random.Int64N(d.Users-id) < k {
			ids = append(ids, id)
			k--
		}
	}
	return ids
}
