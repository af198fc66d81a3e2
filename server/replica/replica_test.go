package replica

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.org/comet/server/subscriptions"
)

// check compares a text.
func check(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// says fails unless a text has a part.
func says(t *testing.T, what, got, part string) {
	t.Helper()
	if !strings.Contains(got, part) || part == "" && got != "" {
		t.Errorf("%s: got %q, want %q", what, got, part)
	}
}

// TestConfirmed: a change counts the servers that have it, which is all of them, and
// whoever is alone is ready soon.
func TestConfirmed(t *testing.T) {
	paths := []string{friends(t, "1 7\n"), friends(t, "1 7\n"), friends(t, "1 7\n")}
	synctest.Test(t, func(t *testing.T) {
		w := newNetwork(t)
		a := w.open("a", paths[0], subscriptions.Open)
		says(t, "at first", a.ready(), "asking the others")
		time.Sleep(greetingTime)
		check(t, "alone", a.ready(), "")
		check(t, "alone", a.change(a.file.Add, 1, 8), "1 of 1")
		b, c := w.open("b", paths[1], subscriptions.Open), w.open("c", paths[2], subscriptions.Open)
		time.Sleep(greetingTime)
		for _, n := range []*node{a, b, c} {
			check(t, n.name, n.ready(), "")
			check(t, n.name, n.follows(1), "[7 8]")
		}
		check(t, "add", a.change(a.file.Add, 2, 7, 9), "3 of 3")
		check(t, "all", b.change(b.file.Set, 1), "3 of 3")
		check(t, "again", b.change(b.file.Set, 1), "3 of 3")
		check(t, "remove", c.change(c.file.Remove, 2, 9), "3 of 3")
		for _, n := range []*node{a, b, c} {
			check(t, n.name, n.follows(1)+n.follows(2), "[][7]")
			check(t, n.name, n.ready(), "")
		}
		if s := a.Stats(); s != (Stats{Nodes: 3, Sent: 1 + 1, Applied: 3, Asked: s.Asked}) {
			t.Errorf("a counts %+v", s)
		}
		b.end(false) // says so
		synctest.Wait()
		check(t, "without b", a.change(a.file.Add, 5, 5), "2 of 2")
		c.end(true) // does not
		before := time.Now()
		check(t, "c was killed", a.change(a.file.Add, 5, 6), "1 of 2")
		if waited := time.Since(before); waited != confirmTime {
			t.Errorf("it waited for %v", waited)
		}
		if s := a.Stats(); s.Pending != 1 {
			t.Errorf("pending are %d, want 1", s.Pending)
		}
		time.Sleep(peerLife + sayInterval)
		check(t, "c is forgotten", a.change(a.file.Add, 5, 7), "1 of 1")
		a.end(false)
	})
}

// TestGone: a server that has said goodbye applies what still comes and is not known any
// more, whatever it is told.
func TestGone(t *testing.T) {
	paths := []string{friends(t, "1 7\n"), friends(t, "1 7\n")}
	synctest.Test(t, func(t *testing.T) {
		w := newNetwork(t)
		a, b := w.open("a", paths[0], subscriptions.Open), w.open("b", paths[1], subscriptions.Open)
		time.Sleep(greetingTime)
		check(t, "both", a.change(a.file.Add, 1, 8), "2 of 2")
		b.cancel()
		synctest.Wait()
		check(t, "after goodbye", a.change(a.file.Add, 1, 9), "1 of 1")
		time.Sleep(sayInterval)
		check(t, "later", a.change(a.file.Add, 1, 10), "1 of 1")
		synctest.Wait()
		check(t, "b", b.follows(1), "[7 8 9 10]")
		a.end(false)
		b.end(false)
	})
}

// TestAway: a server that was cut off is not ready until it has what it missed, and
// the others get what was changed there meanwhile.
func TestAway(t *testing.T) {
	paths := []string{friends(t, "1 7\n"), friends(t, "1 7\n")}
	synctest.Test(t, func(t *testing.T) {
		w := newNetwork(t)
		a, b := w.open("a", paths[0], subscriptions.Open), w.open("b", paths[1], subscriptions.Open)
		time.Sleep(greetingTime)
		b.cut()
		says(t, "cut off", b.ready(), "asking the others")
		check(t, "a", a.change(a.file.Add, 1, 8), "1 of 2")
		check(t, "b", b.change(b.file.Remove, 1, 7), "1 of 2")
		check(t, "b", b.follows(1), "[]")
		w.mu.Lock()
		w.pass = func(_, _ string, m *message) int {
			if m.Kind == answerKind {
				return 0
			}
			return 1
		}
		w.mu.Unlock()
		b.Link(true)
		time.Sleep(greetingTime + time.Millisecond)
		says(t, "without an answer", b.ready(), "asking the others")
		w.mu.Lock()
		w.pass = nil
		w.mu.Unlock()
		time.Sleep(2*sayInterval + askAgain)
		for _, n := range []*node{a, b} {
			check(t, n.name, n.ready(), "")
			check(t, n.name, n.follows(1), "[8]")
			if s := n.Stats(); s.Pending != 0 || s.Behind != 0 {
				t.Errorf("%s: %+v", n.name, s)
			}
		}
		a.end(false)
		b.end(false)
	})
}

// TestRestarted: changes that were answered, and not sent before the server was
// killed, come to the others once it is back, and it gets theirs.
func TestRestarted(t *testing.T) {
	paths := []string{friends(t, "1 7\n"), friends(t, "1 7\n")}
	synctest.Test(t, func(t *testing.T) {
		w := newNetwork(t)
		a, b := w.open("a", paths[0], subscriptions.Open), w.open("b", paths[1], subscriptions.Open)
		time.Sleep(greetingTime)
		a.cut() // before it is sent
		if _, err := a.file.Add(1, 8); err != nil {
			t.Fatal(err)
		}
		a.end(true)
		check(t, "b", b.change(b.file.Add, 2, 9), "1 of 2")
		ids := wideIDs(1000)
		for follower := range int64(30) { // several answers
			if _, err := b.file.Add(10+follower, ids...); err != nil {
				t.Fatal(err)
			}
		}
		a = w.open("a again", paths[0], subscriptions.Open)
		time.Sleep(greetingTime)
		for _, n := range []*node{a, b} {
			check(t, n.name, n.ready(), "")
			check(t, n.name, n.follows(1)+n.follows(2), "[7 8][9]")
		}
		check(t, "a", a.follows(39), fmt.Sprint(ids))
		check(t, "a", a.change(a.file.Add, 3, 1), "2 of 2")
		check(t, "b", b.change(b.file.Add, 3, 2), "2 of 3") // it knows the first life still
		a.end(false)
		b.end(false)
	})
}

// TestLossy: whatever is lost, comes twice or late, servers that change the same come
// to the same.
func TestLossy(t *testing.T) {
	paths := []string{friends(t, "1 7\n"), friends(t, "1 7\n"), friends(t, "1 7\n")}
	synctest.Test(t, func(t *testing.T) {
		w := newNetwork(t)
		random := rand.New(rand.NewPCG(1, 2))
		fate := rand.New(rand.NewPCG(3, 4)) // guarded by w.mu
		w.pass = func(_, _ string, _ *message) int { return fate.IntN(3) }
		var nodes []*node
		for i, name := range []string{"a", "b", "c"} {
			nodes = append(nodes, w.open(name, paths[i], subscriptions.Open))
		}
		for range 60 {
			f := nodes[random.IntN(3)].file
			do := []func(int64, ...int64) (subscriptions.Changed, error){f.Add, f.Remove, f.Set}[random.IntN(3)]
			changed, err := do(random.Int64N(3), random.Int64N(5), random.Int64N(5))
			if err != nil {
				t.Fatal(err)
			}
			nodes[random.IntN(3)].Confirmed(canceled(t), changed) // no matter where
			time.Sleep(time.Duration(random.IntN(300)) * time.Millisecond)
		}
		w.mu.Lock()
		w.pass = nil
		w.mu.Unlock()
		time.Sleep(3*sayInterval + askAgain)
		for _, n := range nodes {
			check(t, n.name, n.ready(), "")
			for follower := range int64(3) {
				check(t, n.name, n.follows(follower), nodes[0].follows(follower))
			}
			if s := n.Stats(); s.Nodes != 3 || s.Pending+s.Behind+s.Rubbish != 0 {
				t.Errorf("%s counts %+v", n.name, s)
			}
		}
		for _, n := range nodes {
			n.end(false)
		}
	})
}
