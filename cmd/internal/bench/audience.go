package bench

import (
	"fmt"
	"slices"

	"example.org/comet/cmd/internal/result"
	"example.org/comet/msggen"
)

// audience is whom the events of each publisher are for, among those who connect.
type audience struct {
	// weights has the number of connections for each publisher, in the order of
	// friends.publishers.
	weights []uint32
	// sum is of all of them, most the highest, and longest the most publishers that
	// one connection follows.
	sum           uint64
	most, longest uint32
	// draws is the generator, which draws publishers by their place in weights, from 1.
	draws msggen.Config
}

// audience returns the audience of the first n who connect. It takes it from whom they
// follow; the server looks up followers, which the file holds apart from that.
func (f *friends) audience(cfg *Config) (*audience, error) {
	a := &audience{weights: make([]uint32, len(f.publishers)), draws: cfg.generator()}
	a.draws.FirstID, a.draws.MaxID = 1, int64(len(f.publishers))
	for _, follower := range f.followers[:cfg.Connections] {
		ids, n, err := f.graph.Publishers(follower)
		if err != nil {
			return nil, err
		}
		for id := range ids {
			at, known := slices.BinarySearch(f.publishers, id)
			if !known {
				return nil, fmt.Errorf("bench: %s does not hold together: %d follows %d, who has no followers: make it anew", f.file, follower, id)
			}
			a.weights[at]++
			a.most = max(a.most, a.weights[at])
		}
		a.sum += uint64(n)
		a.longest = max(a.longest, uint32(n))
	}
	return a, nil
}

// mean returns how many connections an event is for, if publishers are as likely as
// each other.
func (a *audience) mean() float64 { return float64(a.sum) / float64(len(a.weights)) }

// reach returns the mean as a generator takes it.
func (a *audience) reach() int { return max(int(a.mean()+0.5), 1) }

// deliveries returns how many deliveries the events of a generator make if everybody
// is there all the time: it draws their publishers once more. It is unknown if not
// each event was accepted, since nobody knows which were.
func (a *audience) deliveries(g *msggen.Result) result.Figure {
	if g.Sent != g.Asked {
		return result.Figure{}
	}
	draws, sum := a.draws, uint64(0)
	draws.Seed = g.Seed
	for row := range draws.Draws(g.Sent) {
		sum += uint64(a.weights[row-1])
	}
	return result.Of(sum)
}

// A flood keeps which events came for up to so many pairs of a connection and a
// publisher, at up to 150 bytes each, and for so many publishers of one connection:
// somewhat less than it has room for, as events that overtake each other take some.
const (
	mostTracks   = 2_000_000
	mostOfOne    = 10_000
	bytesOfTrack = 150
)

// tracks returns how many pairs of a connection and a publisher there may be an event
// of.
func (a *audience) tracks(p *plan) float64 {
	pairs := float64(a.sum)
	if p.rate > 0 && !p.rate.Unpaced() {
		pairs = min(pairs, float64(p.rate)*a.draws.Duration.Seconds()*a.mean())
	}
	return pairs
}

// trackOneIn returns of which share of the publishers duplicates and order are known:
// one in so many, a power of two.
func (a *audience) trackOneIn(p *plan) int {
	n := 1
	for a.tracks(p)/float64(n) > mostTracks || float64(a.longest)/float64(n) > mostOfOne {
		n *= 2
	}
	return n
}

// friendNotes returns what is not known of all events.
func friendNotes(a *account, rec *record, p *plan) (notes []string) {
	if p.audience == nil || rec.generated == nil {
		return nil
	}
	t := totals(rec.floods)
	if n := p.audience.trackOneIn(p); n > 1 {
		of := fmt.Sprintf("Duplicated and reordered events are those of one publisher in %d, drawn by a hash, of whom %d of the %d delivered came: of all, a flood would take up to %.0f MB for them.",
			n, t.Delivered-min(t.Untracked, t.Delivered), t.Delivered, p.audience.tracks(p)*bytesOfTrack/1e6)
		if t.Duplicated == 0 {
			of += " Missing takes it that, as there, none of the others came twice."
		}
		notes = append(notes, of)
	}
	switch _, known := a.expected.Value(); {
	case !known:
		notes = append(notes, "Expected and missing deliveries are not known: not every event was accepted, or not every connection was there all the time, and the server did not say how many each event found.")
	case t.Untracked > 0 && t.Duplicated > 0:
		notes = append(notes, "Missing deliveries are not known: some events came twice, and of most publishers nobody counts which.")
	}
	return notes
}
