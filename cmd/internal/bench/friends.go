package bench

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"example.org/comet/flood/users"
	"example.org/comet/server/subscriptions"
)

// friends is the graph of an experiment that goes on. While it is open, no process can
// change the graph.
type friends struct {
	graph  *subscriptions.File
	file   string
	folder string // of what is made for the experiment
	forget func() // the removal of folder, should the process have to end at once

	// followers are those who connect, in the order of their connections, and
	// publishers everybody who has followers, in ascending order. Flood and generator
	// read the same from a file each.
	followers, publishers []int64
	connecting, sending   *users.Table
}

// streamFollowers is the random stream of a seed that draws who connects.
const streamFollowers = 1 << 33

// openFriends opens the graph of cfg, which it may have to make, and draws by the seed
// who connects. It picks a seed if cfg has none.
func openFriends(ctx context.Context, cfg *Config) (f *friends, err error) {
	if cfg.Seed == 0 {
		cfg.Seed = 1 + rand.Uint64N(1<<53-1)
	}
	f = &friends{file: cfg.Graph.File, forget: func() {}}
	defer func() {
		if err != nil {
			f.close()
			f = nil
		}
	}()
	if f.folder, err = os.MkdirTemp("", "comet-bench-"); err != nil {
		return f, fmt.Errorf("bench: the graph of the experiment: %w", err)
	}
	f.forget = cfg.atExit(func() error { return os.RemoveAll(f.folder) })
	if f.file == "" {
		if err = f.generate(ctx, cfg); err != nil {
			return f, err
		}
	}
	if f.graph, err = subscriptions.OpenReadOnly(f.file); err != nil {
		return f, err
	}
	if err = f.draw(ctx, cfg.Seed, max(cfg.Connections, last(cfg.Steps))); err != nil {
		return f, err
	}
	if f.connecting, err = writeUsers(filepath.Join(f.folder, "followers.csv"), f.followers); err != nil {
		return f, err
	}
	f.sending, err = writeUsers(filepath.Join(f.folder, "publishers.csv"), f.publishers)
	return f, err
}

// generate makes the graph.
func (f *friends) generate(ctx context.Context, cfg *Config) error {
	f.file = filepath.Join(f.folder, "friends.db")
	g := cfg.Graph.Made
	g.Seed = cfg.Seed
	fmt.Fprintf(cfg.Progress, "graph    making one of %d users with %v followers each, of seed %d\n", g.Users, g.Mean, g.Seed)
	begun := time.Now()
	n, err := subscriptions.Generate(ctx, f.file, g)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("bench: while the graph was made: %w", context.Cause(ctx))
	case err != nil:
		return err
	}
	fmt.Fprintf(cfg.Progress, "graph    %d subscriptions, in %.1f s\n", n, time.Since(begun).Seconds())
	return nil
}

// draw draws n of those who follow somebody, in an order that is drawn too, so that
// fewer of them are drawn as well (Knuth, The Art of Computer Programming, 3.4.2,
// algorithms R and P).
func (f *friends) draw(ctx context.Context, seed uint64, n int) error {
	random := rand.New(rand.NewPCG(seed, streamFollowers))
	all := 0
	err := f.graph.EachFollower(ctx, func(id int64) {
		all++
		if len(f.followers) < n {
			f.followers = append(f.followers, id)
		} else if at := random.IntN(all); at < n {
			f.followers[at] = id
		}
	})
	if err != nil {
		return err
	}
	if all < n {
		return fmt.Errorf("bench: %d connections of %d users in %s who follow somebody, each of whom has one: open %d or fewer", n, all, f.file, all)
	}
	random.Shuffle(n, func(i, j int) { f.followers[i], f.followers[j] = f.followers[j], f.followers[i] })
	return f.graph.EachPublisher(ctx, func(id int64) { f.publishers = append(f.publishers, id) })
}

// writeUsers writes ids as a file of users, and reads it.
func writeUsers(path string, ids []int64) (*users.Table, error) {
	b := []byte("id\n")
	for _, id := range ids {
		b = append(strconv.AppendInt(b, id, 10), '\n')
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		return nil, fmt.Errorf("bench: who connects and who publishes: %w", err)
	}
	return users.Read(bytes.NewReader(b), path)
}

// close closes the graph and removes what was made for the experiment. A nil friends
// has none.
func (f *friends) close() {
	if f == nil {
		return
	}
	if f.graph != nil {
		f.graph.Close()
	}
	if f.folder != "" {
		os.RemoveAll(f.folder)
	}
	f.forget()
}
