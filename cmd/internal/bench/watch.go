package bench

import (
	"cmp"
	"context"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"example.org/comet/cmd/internal/fleet"
	"example.org/comet/cmd/internal/probe"
	"example.org/comet/cmd/internal/result"
	"example.org/comet/memlog/sockdiag"
	"example.org/comet/sysctl"
)

// watched gathers what is seen of the servers' processes, a look each second.
type watched struct {
	root  fs.FS
	pids  []int32
	addrs []netip.AddrPort
	now   func() time.Time

	before   map[int]probe.Thread // by their ids, at the last look
	at       time.Time
	shares   map[int][]float64 // of a processor, in each second
	waits    map[int][]float64 // of the second, for a processor
	names    map[int]string
	together []float64 // of all threads
	seen     Seen
	tcp      probe.TCP
}

// watch looks at what the processes of the servers use until end is called, which
// returns what was seen.
func (s *Session) watch() (end func() Seen) {
	f, ok := s.run.site.(*foreign)
	switch {
	case !ok:
		ended := watch(s.pids(), nil)
		return func() Seen {
			seen := ended()
			seen.Program = "comet" // whatever the file is called
			return seen
		}
	case f.here():
		return watch(f.pids, f.addrs)
	}
	return watch(f.pids, nil)
}

// Beyond returns which limit of this machine has no more connections than Most.
func (s *Session) Beyond() result.Limit {
	cfg := s.cfg
	cfg.Connections = s.Most() + s.Most()/100 + cfg.subscribers()
	p, _ := makePlan(&cfg, s.run.site) // which refuses it
	system, err := sysctl.Read()
	if err != nil {
		system = sysctl.UnknownSystem()
	}
	if p == nil {
		return tooMany
	}
	for _, l := range sysctl.Check(p.need, system) {
		if l.Short && l.Hard {
			return result.Limit{Part: l.Setting, Evidence: l.Why + ": " + l.Mend}
		}
	}
	return tooMany
}

var tooMany = result.Limit{Part: "processes", Evidence: "there are addresses for no more servers and floods"}

// watch looks at processes, and at the listeners at addrs, until end is called, which
// returns what was seen.
func watch(pids []int32, addrs []netip.AddrPort) (end func() Seen) {
	w := &watched{root: os.DirFS("/"), pids: pids, addrs: addrs, now: time.Now}
	w.begin()
	ctx, cancel := context.WithCancel(context.Background())
	var looking sync.WaitGroup
	looking.Go(func() {
		for fleet.Wait(ctx, time.Second) == nil {
			w.look()
		}
	})
	return func() Seen {
		cancel()
		looking.Wait()
		return w.end()
	}
}

// begin takes the first look, which later ones are compared with.
func (w *watched) begin() {
	w.shares, w.waits, w.names = make(map[int][]float64), make(map[int][]float64), make(map[int]string)
	w.tcp = probe.Take(false, nil).TCP
	w.look()
}

// look notes what the processes use now.
func (w *watched) look() {
	rooms, now := probe.Rooms(w.root, w.pids), w.now()
	threads := make(map[int]probe.Thread)
	for _, r := range rooms {
		maps.Copy(threads, r.Threads)
		w.files(r)
		if fuller(r.GroupMemory, r.MaxGroupMemory, w.seen.Memory, w.seen.MaxMemory) {
			w.seen.Memory, w.seen.MaxMemory, w.seen.MemoryOf = r.GroupMemory, r.MaxGroupMemory, "its control group"
		}
	}
	if len(rooms) > 0 {
		w.seen.Program, w.seen.Workers, w.seen.Usable = rooms[0].Name, result.Of(max(len(rooms)-1, 1)), usable(rooms)
		w.machineMemory()
		w.processors(threads, now.Sub(w.at).Seconds())
	}
	w.before, w.at = threads, now
}

// files notes the process that is nearest to its limit.
func (w *watched) files(r probe.Room) {
	if fuller(r.Files, r.MaxFiles, w.seen.Files, w.seen.MaxFiles) {
		w.seen.Files, w.seen.MaxFiles = r.Files, r.MaxFiles
	}
}

// machineMemory notes what is used on this machine, if that is nearer to its end than
// what was noted.
func (w *watched) machineMemory() {
	if m := probe.Memory(); fuller(m.InUse, m.Total, w.seen.Memory, w.seen.MaxMemory) {
		w.seen.Memory, w.seen.MaxMemory, w.seen.MemoryOf = m.InUse, m.Total, "this machine"
	}
}

// processors notes what the threads used since the last look.
func (w *watched) processors(threads map[int]probe.Thread, seconds float64) {
	if w.before == nil || seconds <= 0 {
		return
	}
	var all float64
	for id, t := range threads {
		then, there := w.before[id]
		if !there {
			continue
		}
		share := (t.CPU - then.CPU) / seconds
		w.shares[id], w.names[id] = append(w.shares[id], share), t.Name
		w.waits[id] = append(w.waits[id], (t.Waited-then.Waited)/seconds)
		all += share
	}
	w.together = append(w.together, all)
}

// end returns what was seen. A trial spends some of its time on connecting and on
// waiting, so that of the seconds those count in which much was done.
func (w *watched) end() Seen {
	w.look()
	s := w.seen
	if len(w.together) > 0 {
		s.Cores = result.Of(busySeconds(w.together))
	}
	for id, shares := range w.shares {
		if busy, most := busySeconds(shares), s.Busiest; busy > valueOr(most, -1) {
			s.Busiest, s.Waiting, s.Thread = result.Of(busy), result.Of(busySeconds(w.waits[id])), w.names[id]
		}
	}
	s.Overflows = probe.Take(false, nil).TCP.ListenOverflows.Minus(w.tcp.ListenOverflows)
	s.Backlog = backlogAt(w.addrs)
	return s
}

// busySeconds returns what six of seven seconds do not exceed.
func busySeconds(shares []float64) float64 {
	sorted := slices.Sorted(slices.Values(shares))
	return sorted[(len(sorted)-1)*6/7]
}

// usable returns how many processors the processes together can use: those that they
// may run on, of this machine.
func usable(rooms []probe.Room) result.Figure {
	most := slices.MaxFunc(rooms, func(a, b probe.Room) int { return cmp.Compare(valueOr(a.Processors, 0), valueOr(b.Processors, 0)) })
	if n, known := most.Processors.Value(); known {
		return result.Of(min(n, float64(runtime.NumCPU())))
	}
	return result.Of(runtime.NumCPU())
}

// fuller reports whether a of b is known, and more than c of d.
func fuller(a, b, c, d result.Figure) bool {
	one, known := a.Per(b).Value()
	return known && one > valueOr(c.Per(d), -1)
}

func valueOr(f result.Figure, otherwise float64) float64 {
	if n, known := f.Value(); known {
		return n
	}
	return otherwise
}

// backlogAt returns how many connections the accept queue of a listener here holds, the
// least of several.
func backlogAt(addrs []netip.AddrPort) result.Figure {
	c, err := sockdiag.Open()
	if err != nil {
		return result.Figure{}
	}
	defer c.Close()
	var exact, anywhere []sockdiag.Filter
	for _, a := range addrs {
		exact = append(exact, sockdiag.Filter{Prefix: netip.PrefixFrom(a.Addr(), a.Addr().BitLen()), Port: a.Port()})
		anywhere = append(anywhere, sockdiag.Filter{Port: a.Port()})
	}
	for _, filters := range [][]sockdiag.Filter{exact, anywhere} {
		if len(filters) == 0 {
			break
		}
		if n, err := c.Backlog(filters); err == nil && n > 0 {
			return result.Of(n)
		}
	}
	return result.Figure{}
}
