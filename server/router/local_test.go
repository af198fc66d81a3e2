package router

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// delivery is one message as an inbox got it.
type delivery struct {
	conn    Conn
	message string
}

// recorder is an Inbox that remembers. It copies, as an Inbox must.
type recorder struct {
	mu     sync.Mutex
	got    []delivery
	woken  int
	refuse error // what Wait returns
	full   bool  // it takes no more messages
}

func (r *recorder) Deliver(c Conn, message []byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.full {
		return false
	}
	r.got = append(r.got, delivery{c, string(message)})
	return true
}

func (r *recorder) Wake() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.woken++
}

func (r *recorder) Wait(context.Context) error { return r.refuse }

func (r *recorder) take() []delivery {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.got
	r.got = nil
	return got
}

func mustCheck(t *testing.T, l *Local) {
	t.Helper()
	if err := l.check(); err != nil {
		t.Fatal(err)
	}
}

func TestEmpty(t *testing.T) {
	var l Local
	mustCheck(t, &l)
	if n, _ := l.Send(1, []byte("x")); n != 0 || l.Logins() != 0 {
		t.Errorf("reached %d, %d logins, want none", n, l.Logins())
	}
	if err := l.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	m := l.Join(&recorder{})
	m.Logout(0, nil)
	m.Logout(12345, nil)
	if n, _ := l.Send(0, nil); n != 0 {
		t.Errorf("reached %d", n)
	}
	mustCheck(t, &l)
}

// TestFullInbox: what an inbox does not take has reached nobody.
func TestFullInbox(t *testing.T) {
	var l Local
	full, other := &recorder{full: true}, &recorder{}
	l.Join(full).Login(Conn{1, 1}, 5)
	l.Join(other).Login(Conn{1, 1}, 5)
	if n, _ := l.Send(5, []byte("m")); n != 1 {
		t.Errorf("reached %d, want 1", n)
	}
	l.Wake()
	if full.woken != 1 || other.woken != 1 {
		t.Errorf("woken %d and %d times, want once each", full.woken, other.woken)
	}
}

// TestSteps walks through what the article's router does.
func TestSteps(t *testing.T) {
	type to = delivery
	var l Local
	inboxes := []*recorder{{}, {}}
	members := []*Member{l.Join(inboxes[0]), l.Join(inboxes[1])}
	login := func(m int, c Conn, ids ...int64) func() {
		return func() {
			for _, id := range ids {
				members[m].Login(c, id)
			}
		}
	}
	logout := func(m int, slot uint32) func() { return func() { members[m].Logout(slot, nil) } }
	for _, step := range []struct {
		name   string
		do     func()
		id     int64
		a, b   []to // what the two inboxes get of a message to id
		logins int
	}{
		{"nobody is there", func() {}, 123, nil, nil, 0},
		{"one logs in", login(0, Conn{1, 1}, 123), 123, []to{{Conn{1, 1}, "m"}}, nil, 1},
		{"another id is nobody", func() {}, 124, nil, nil, 1},
		{"several ids of one connection", login(0, Conn{2, 1}, 0, 5, math.MaxInt64), math.MaxInt64, []to{{Conn{2, 1}, "m"}}, nil, 4},
		{"id 0 is an id", func() {}, 0, []to{{Conn{2, 1}, "m"}}, nil, 4},
		{"several connections of one id", login(1, Conn{1, 7}, 123), 123, []to{{Conn{1, 1}, "m"}}, []to{{Conn{1, 7}, "m"}}, 5},
		{"slot 0 and a far one", func() { login(1, Conn{0, 3}, 9)(); login(1, Conn{5000, 3}, 9)() }, 9, nil, []to{{Conn{0, 3}, "m"}, {Conn{5000, 3}, "m"}}, 7},
		{"logging out ends all ids", logout(0, 2), 5, nil, nil, 4},
		{"of that connection only", func() {}, 123, []to{{Conn{1, 1}, "m"}}, []to{{Conn{1, 7}, "m"}}, 4},
		{"slots are a member's own", logout(1, 1), 123, []to{{Conn{1, 1}, "m"}}, nil, 3},
		{"twice is once", logout(1, 1), 123, []to{{Conn{1, 1}, "m"}}, nil, 3},
		{"a slot has a new owner", func() { logout(0, 1)(); login(0, Conn{1, 2}, 123)() }, 123, []to{{Conn{1, 2}, "m"}}, nil, 3},
		{"all leave", func() { logout(0, 1)(); logout(1, 0)(); logout(1, 5000)() }, 123, nil, nil, 0},
	} {
		step.do()
		reached, _ := l.Send(step.id, []byte("m"))
		a, b := inboxes[0].take(), inboxes[1].take()
		sortBySlot(b)
		if !slices.Equal(a, step.a) || !slices.Equal(b, step.b) || reached != len(step.a)+len(step.b) {
			t.Fatalf("%s: a message to %d reached %d: %v %v, want %v %v", step.name, step.id, reached, a, b, step.a, step.b)
		}
		if l.Logins() != step.logins {
			t.Fatalf("%s: %d logins, want %d", step.name, l.Logins(), step.logins)
		}
		mustCheck(t, &l)
	}
}

func sortBySlot(d []delivery) {
	slices.SortFunc(d, func(a, b delivery) int { return int(a.conn.Slot) - int(b.conn.Slot) })
}

func TestFlush(t *testing.T) {
	var l Local
	a, b, c := &recorder{}, &recorder{refuse: errors.New("too late")}, &recorder{}
	l.Join(a)
	if err := l.Flush(t.Context()); err != nil || a.woken != 1 {
		t.Errorf("error %v, woken %d times, want once", err, a.woken)
	}
	l.Join(b)
	l.Join(c)
	if err := l.Flush(t.Context()); !errors.Is(err, b.refuse) {
		t.Errorf("error %v, want %v", err, b.refuse)
	}
	if c.woken != 1 {
		t.Error("a member behind one that could not be waited for sleeps on")
	}
}

// model is what Local ought to know, the simple way.
type model map[int64]map[modelConn]bool

type modelConn struct {
	member int
	conn   Conn
}

// TestRandom compares long random runs with the model after every step that
// can be compared, through several doublings of the table and back.
func TestRandom(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	var l Local
	var inboxes []*recorder
	var members []*Member
	known := model{}
	open := []modelConn{} // connections with a login
	gen := map[modelConn]uint32{}
	for phase := range 6 {
		// A member joins late, while others hold connections.
		in := &recorder{}
		inboxes = append(inboxes, in)
		members = append(members, l.Join(in))
		grow := phase < 3
		for range 3000 {
			switch k := r.IntN(10); {
			case k < 5 == grow: // log in
				m := r.IntN(len(members))
				slot := uint32(r.IntN(2000))
				key := modelConn{m, Conn{Slot: slot}}
				if slices.ContainsFunc(open, func(o modelConn) bool { return o.member == m && o.conn.Slot == slot }) {
					break
				}
				gen[key]++
				c := modelConn{m, Conn{slot, gen[key]}}
				for range 1 + r.IntN(3) {
					id := randomID(r)
					if known[id][c] {
						continue
					}
					members[m].Login(c.conn, id)
					if known[id] == nil {
						known[id] = map[modelConn]bool{}
					}
					known[id][c] = true
				}
				open = append(open, c)
			case len(open) > 0: // log out
				i := r.IntN(len(open))
				c := open[i]
				open = slices.Delete(open, i, i+1)
				out := members[c.member].Logout(c.conn.Slot, []int64{-1})
				for id := range known {
					if known[id][c] && !slices.Contains(out, id) {
						t.Fatalf("%v was logged in as %d; logged out as %d", c, id, out)
					}
					if known[id][c] {
						out = slices.DeleteFunc(out, func(o int64) bool { return o == id })
					}
					delete(known[id], c)
				}
				if !slices.Equal(out, []int64{-1}) {
					t.Fatalf("%v was logged out as %d as well", c, out)
				}
			}
			id := randomID(r)
			compareSend(t, &l, inboxes, id, known[id])
		}
		mustCheck(t, &l)
		want := 0
		for id, conns := range known {
			want += len(conns)
			compareSend(t, &l, inboxes, id, conns)
		}
		if l.Logins() != want {
			t.Fatalf("%d logins, want %d", l.Logins(), want)
		}
	}
	for _, c := range open {
		members[c.member].Logout(c.conn.Slot, nil)
	}
	mustCheck(t, &l)
	if l.Logins() != 0 {
		t.Errorf("%d logins are left", l.Logins())
	}
}

// randomID is often one that others have too, and sometimes an extreme.
func randomID(r *rand.Rand) int64 {
	switch r.IntN(8) {
	case 0:
		return int64(r.IntN(8))
	case 1:
		return math.MaxInt64 - int64(r.IntN(4))
	default:
		return int64(r.IntN(3000)) << 20
	}
}

func compareSend(t *testing.T, l *Local, inboxes []*recorder, id int64, want map[modelConn]bool) {
	t.Helper()
	reached, _ := l.Send(id, fmt.Appendf(nil, "to %d", id))
	if reached != len(want) {
		t.Fatalf("a message to %d reached %d connections, want %d", id, reached, len(want))
	}
	seen := map[modelConn]bool{}
	for m, in := range inboxes {
		for _, d := range in.take() {
			c := modelConn{m, d.conn}
			if !want[c] || seen[c] || d.message != fmt.Sprint("to ", id) {
				t.Fatalf("%+v got %q for %d: logged in %t, before %t", c, d.message, id, want[c], seen[c])
			}
			seen[c] = true
		}
	}
	if len(seen) != len(want) {
		t.Fatalf("%d inboxes took a message to %d, want %d", len(seen), id, len(want))
	}
}

// TestCheckFinds: a check that finds nothing in a broken table is worth nothing.
func TestCheckFinds(t *testing.T) {
	for name, breakIt := range map[string]func(l *Local, m *Member){
		"a login that no connection leads to": func(_ *Local, m *Member) { *m.first.at(1) = 0 },
		"a login in the wrong bucket": func(l *Local, m *Member) {
			s, at := l.deref(*m.first.at(1))
			s.logins.at(at).id += 12345
		},
		"a login of another slot": func(l *Local, m *Member) {
			s, at := l.deref(*m.first.at(1))
			s.logins.at(at).conn.Slot = 2
		},
		"a login that its id does not lead to": func(l *Local, m *Member) {
			s, at := l.deref(*m.first.at(1))
			s.unlink(hash(s.logins.at(at).id), at)
		},
		"a login with the wrong one before it": func(l *Local, m *Member) {
			s, at := l.deref(*m.first.at(1))
			s.logins.at(at).prev = at
		},
		"a wrong count": func(l *Local, _ *Member) { l.shards[3].used++ },
	} {
		t.Run(name, func(t *testing.T) {
			var l Local
			m := l.Join(&recorder{})
			for slot := range uint32(40) {
				m.Login(Conn{slot, 1}, int64(slot))
			}
			mustCheck(t, &l)
			breakIt(&l, m)
			if err := l.check(); err == nil || !strings.HasPrefix(err.Error(), "router: ") {
				t.Errorf("Check returned %v", err)
			}
		})
	}
}

// owner is a member of the concurrent test: it logs connections in and out, and
// notes between which ticks of one clock each was logged in.
type owner struct {
	clock *atomic.Int64
	mu    sync.Mutex
	lives map[Conn]*life
}

type life struct {
	id                             int64
	loggingIn, in, loggingOut, out int64 // ticks; 0 while it has not happened
	got                            []sent
	wrong                          string
}

// sent is a message: who sent it, as which, and between which ticks.
type sent struct {
	sender, n int
	id        int64
	begun     int64
	ended     int64
}

func (o *owner) Deliver(c Conn, message []byte) bool {
	var s sent
	if _, err := fmt.Sscan(string(message), &s.sender, &s.n, &s.id, &s.begun); err != nil {
		panic(err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	l := o.lives[c]
	switch {
	case l == nil:
		panic(fmt.Sprintf("a message to %v, which never was", c))
	case l.id != s.id:
		l.wrong = fmt.Sprintf("%v is %d and got a message to %d", c, l.id, s.id)
	case l.out != 0 && s.begun > l.out:
		l.wrong = fmt.Sprintf("%v was out at %d and got a message sent at %d", c, l.out, s.begun)
	}
	l.got = append(l.got, s)
	return true
}

func (*owner) Wake() {}

func (*owner) Wait(context.Context) error { return nil }

// churn logs connections in and out; several have one id.
func (o *owner) churn(m *Member, r *rand.Rand, lives int) {
	var open []Conn
	gens := map[uint32]uint32{}
	for range lives {
		if slot := uint32(r.IntN(20)); !slices.ContainsFunc(open, func(c Conn) bool { return c.Slot == slot }) {
			gens[slot]++
			c := Conn{slot, gens[slot]}
			o.login(m, c, int64(r.IntN(10)))
			open = append(open, c)
		}
		if len(open) > 10 {
			i := r.IntN(len(open))
			o.logout(m, open[i])
			open = slices.Delete(open, i, i+1)
		}
		if r.IntN(4) == 0 {
			runtime.Gosched()
		}
	}
	for _, c := range open {
		o.logout(m, c)
	}
}

func (o *owner) set(tick *int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	*tick = o.clock.Add(1)
}

func (o *owner) login(m *Member, c Conn, id int64) {
	l := &life{id: id, loggingIn: o.clock.Add(1)}
	o.mu.Lock()
	o.lives[c] = l
	o.mu.Unlock()
	m.Login(c, id)
	o.set(&l.in)
}

func (o *owner) logout(m *Member, c Conn) {
	o.mu.Lock()
	l := o.lives[c]
	o.mu.Unlock()
	o.set(&l.loggingOut)
	m.Logout(c.Slot, nil)
	o.set(&l.out)
}

// TestConcurrent has several members and senders at it at once. Then each life
// of a connection must have got all that was sent while it was surely logged
// in, nothing from after, in the order of each sender, each once.
func TestConcurrent(t *testing.T) {
	const senders, messages, churners = 4, 3000, 4
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var l Local
	var clock atomic.Int64
	owners := make([]*owner, churners)
	// It stays until all was sent: else the others may all have left before.
	stays := &owner{clock: &clock, lives: map[Conn]*life{}}
	member, first := l.Join(stays), Conn{0, 1}
	stays.login(member, first, 0)
	var churning, sending sync.WaitGroup
	for i := range owners {
		owners[i] = &owner{clock: &clock, lives: map[Conn]*life{}}
		churning.Go(func() {
			owners[i].churn(l.Join(owners[i]), rand.New(rand.NewPCG(seed, uint64(i))), 2000)
		})
	}
	log := make([][]sent, senders)
	for i := range log {
		sending.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(100+i)))
			for n := range messages {
				s := sent{sender: i, n: n, id: int64(r.IntN(10)), begun: clock.Add(1)}
				l.Send(s.id, fmt.Appendf(nil, "%d %d %d %d", s.sender, s.n, s.id, s.begun))
				s.ended = clock.Add(1)
				log[i] = append(log[i], s)
			}
		})
	}
	churning.Wait()
	sending.Wait()
	stays.logout(member, first)
	mustCheck(t, &l)
	if l.Logins() != 0 {
		t.Errorf("%d logins are left", l.Logins())
	}
	delivered := 0
	for _, o := range append(owners, stays) {
		for c, life := range o.lives {
			delivered += len(life.got)
			if err := checkLife(life, log); err != nil {
				t.Fatalf("connection %v: %v", c, err)
			}
		}
	}
	if delivered == 0 {
		t.Error("nothing was delivered: this tested nothing")
	}
	t.Logf("%d messages, %d deliveries", senders*messages, delivered)
}

func checkLife(l *life, log [][]sent) error {
	if l.wrong != "" {
		return errors.New(l.wrong)
	}
	last := map[int]int{}
	for _, s := range l.got {
		if before, ok := last[s.sender]; ok && s.n <= before {
			return fmt.Errorf("message %d of sender %d came after %d", s.n, s.sender, before)
		}
		last[s.sender] = s.n
	}
	got := map[[2]int]bool{}
	for _, s := range l.got {
		got[[2]int{s.sender, s.n}] = true
	}
	for _, messages := range log {
		for _, s := range messages {
			if s.id == l.id && s.begun > l.in && s.ended < l.loggingOut && !got[[2]int{s.sender, s.n}] {
				return fmt.Errorf("logged in as %d from %d to %d, it missed message %d of sender %d, sent from %d to %d",
					l.id, l.in, l.loggingOut, s.n, s.sender, s.begun, s.ended)
			}
		}
	}
	return nil
}

type sink struct{}

func (sink) Deliver(Conn, []byte) bool { return true }
func (sink) Wake()                     {}

func (sink) Wait(context.Context) error { return nil }

func BenchmarkLocal(b *testing.B) {
	for _, ids := range []int{10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("ids=%d", ids), func(b *testing.B) {
			message := []byte("Fake message Num = 12345 s=0badcafe.123 t=1700000000000000000")
			var bytes uint64
			var login, send time.Duration
			for b.Loop() {
				before := heap()
				start := time.Now()
				l := new(Local)
				m := l.Join(sink{})
				for i := range ids {
					m.Login(Conn{uint32(i), 1}, int64(i))
				}
				login += time.Since(start)
				bytes += heap() - before
				start = time.Now()
				for i := range ids {
					if n, _ := l.Send(int64(i), message); n != 1 {
						b.Fatal("nobody is there")
					}
				}
				send += time.Since(start)
			}
			total := float64(b.N) * float64(ids)
			b.ReportMetric(float64(bytes)/total, "B/login")
			b.ReportMetric(total/login.Seconds(), "logins/s")
			b.ReportMetric(total/send.Seconds(), "sends/s")
		})
	}
}

// BenchmarkPopularID has many connections of one id leave, the first to come
// first: each must cost the same, however many they are.
func BenchmarkPopularID(b *testing.B) {
	for _, conns := range []int{1000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("conns=%d", conns), func(b *testing.B) {
			var logout time.Duration
			for b.Loop() {
				l := new(Local)
				m := l.Join(sink{})
				for i := range conns {
					m.Login(Conn{uint32(i), 1}, 123)
				}
				start := time.Now()
				for i := range conns {
					m.Logout(uint32(i), nil)
				}
				logout += time.Since(start)
			}
			b.ReportMetric(float64(b.N)*float64(conns)/logout.Seconds(), "logouts/s")
		})
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestReaches counts the connections of an id, and no others.
func TestReaches(t *testing.T) {
	var l Local
	reaches := func(id int64, want int) {
		t.Helper()
		for n := range want + 3 {
			if got := l.Reaches(id, n); got != (n <= want) {
				t.Errorf("%d reaches %d connections: %t, it has %d", id, n, got, want)
			}
		}
	}
	reaches(1, 0)
	a, b := l.Join(&recorder{}), l.Join(&recorder{})
	for id := range int64(2000) { // several of a bucket
		a.Login(Conn{Slot: uint32(id), Gen: 1}, id)
	}
	b.Login(Conn{Slot: 1, Gen: 1}, 1, 5)
	b.Login(Conn{Slot: 2, Gen: 1}, 1)
	for id, want := range map[int64]int{0: 1, 1: 3, 5: 2, 2000: 0} {
		reaches(id, want)
	}
	a.Logout(1, nil)
	reaches(1, 2)
}
