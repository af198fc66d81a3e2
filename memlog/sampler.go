package memlog

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/shirou/gopsutil/v3/process"

	"example.org/comet/memlog/series"
	"example.org/comet/memlog/sockdiag"
)

func init() {
	// Otherwise gopsutil derives the boot time anew, from half a dozen files,
	// each time it is asked for the processor time of a process.
	process.EnableBootTimeCache(true)
}

// Sampler takes usages at moments of its caller's choosing. It is not safe for
// concurrent use.
type Sampler struct {
	cfg     Config
	pattern *regexp.Regexp // nil when watching by pid
	log     *slog.Logger
	roots   []*member
	known   map[int32]*member // the processes of the last sample
	tree    []int32
	nets    []uint64
	ownNet  uint64
	counter *sockdiag.Counter // nil when sockets cannot or need not be counted
	counted time.Time         // when they were last
	looked  bool              // it was seen whether anything listens where connections are counted
	trouble map[string]bool   // figures that complain has logged as unknown
	failed  map[string]error  // figures unknown in the sample under way
}

// member is one of the processes that are summed.
type member struct {
	pid     int32
	start   uint64
	created time.Time
	handle  *process.Process
}

// NewSampler finds the target of cfg, of which it uses PIDs, Match, NoChildren,
// PSS, Listen, CountInterval and Logger. It returns ErrNoTarget if there is no such process
// and an *AmbiguousError if a pattern finds unrelated ones. Close it when done.
func NewSampler(cfg Config) (*Sampler, error) {
	if err := joined(cfg.validateTarget()); err != nil {
		return nil, err
	}
	s := &Sampler{cfg: cfg, log: cfg.Logger, known: map[int32]*member{}, trouble: map[string]bool{}, failed: map[string]error{}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if cfg.Match != "" {
		s.pattern = regexp.MustCompile(cfg.Match) // validated above
	}
	if err := s.find(); err != nil {
		return nil, err
	}
	if len(cfg.Listen) > 0 {
		s.openCounter()
	}
	return s, nil
}

// Close releases what counting connections holds.
func (s *Sampler) Close() error {
	if s.counter == nil {
		return nil
	}
	return s.counter.Close()
}

// openCounter prepares for counting connections. If that fails, memory is watched
// all the same and the figure is unknown.
func (s *Sampler) openCounter() {
	counter, err := sockdiag.Open()
	if err == nil {
		s.ownNet, err = netOf("self")
	}
	if err != nil {
		if counter != nil {
			counter.Close()
		}
		s.log.Warn("connections cannot be counted here: they are logged as unknown", "error", err)
		return
	}
	if why := counter.Fallback(); why != nil {
		s.log.Warn("connections are counted in /proc/net, which costs more, because netlink does not answer", "error", why)
	}
	s.counter = counter
}

// find finds the processes to watch.
func (s *Sampler) find() error {
	pids := slices.Clone(s.cfg.PIDs)
	if s.pattern != nil {
		found, err := matches(s.pattern)
		if err != nil {
			return err
		}
		switch len(found) {
		case 0:
			return fmt.Errorf("memlog: nothing that runs matches %q: %w", s.cfg.Match, ErrNoTarget)
		case 1:
			pids = []int32{found[0].PID}
		default:
			return &AmbiguousError{Match: s.cfg.Match, Processes: found}
		}
	}
	slices.Sort(pids)
	var roots []*member
	for _, pid := range slices.Compact(pids) {
		m, _, err := newMember(pid)
		if gone(err) {
			return fmt.Errorf("memlog: process %d: %w", pid, ErrNoTarget)
		}
		if err != nil {
			return err
		}
		m.created = createdAt(m.start)
		roots = append(roots, m)
	}
	s.roots = roots
	return nil
}

// newMember returns the process of a pid, and its status, which also one that has ended
// may have.
func newMember(pid int32) (*member, status, error) {
	st, err := readStatus(pid)
	if err != nil {
		return nil, st, err
	}
	return &member{pid: pid, start: st.start, handle: &process.Process{Pid: pid}}, st, nil
}

// alive reports whether m still runs and was not replaced by another process of
// the same pid. The status may be there when it does not.
func (m *member) alive() (status, bool, error) {
	st, err := readStatus(m.pid)
	switch {
	case (err == nil || gone(err)) && st.start != m.start:
		return status{}, false, nil
	case gone(err):
		return st, false, nil
	}
	return st, err == nil, err
}

// Take measures now. It returns ErrTargetGone when all processes given by pid have
// ended. It looks again for a match that has ended; while there is none it returns
// ErrTargetGone too, and a later call may succeed.
func (s *Sampler) Take() (Usage, error) {
	u := unknownUsage()
	if err := s.follow(); err != nil {
		return u, err
	}
	tree, err := s.expand()
	if err != nil {
		return u, err
	}
	if err := s.sum(&u, tree); err != nil {
		return u, err
	}
	if u.Procs == 0 {
		return unknownUsage(), s.goneError()
	}
	if now := time.Now(); s.counter != nil && now.Sub(s.counted) >= s.cfg.CountInterval {
		s.counted = now
		u.Connections = s.connections(tree)
	}
	return u, nil
}

func (s *Sampler) goneError() error {
	if s.pattern != nil {
		return fmt.Errorf("memlog: what matched %q: %w", s.cfg.Match, ErrTargetGone)
	}
	return fmt.Errorf("memlog: %s: %w", processes(s.cfg.PIDs), ErrTargetGone)
}

func processes(pids []int32) string {
	if len(pids) == 1 {
		return fmt.Sprintf("process %d", pids[0])
	}
	return fmt.Sprintf("processes %v", pids)
}

// follow drops the roots that have ended and, with a pattern, finds the next.
func (s *Sampler) follow() error {
	var lost []int32
	var failed error
	s.roots = slices.DeleteFunc(s.roots, func(m *member) bool {
		_, alive, err := m.alive()
		if err != nil {
			failed = err
			return false
		}
		if !alive {
			lost = append(lost, m.pid)
		}
		return !alive
	})
	if failed != nil {
		return failed
	}
	if len(s.roots) > 0 {
		for _, pid := range lost { // the last one is the caller's error
			s.log.Warn("a watched process has ended; the others are still watched", "pid", pid)
		}
		return nil
	}
	if s.pattern == nil {
		return s.goneError()
	}
	err := s.find()
	if errors.Is(err, ErrNoTarget) {
		return s.goneError()
	}
	if err == nil {
		s.log.Info("the pattern matches again", "pid", s.roots[0].pid)
	}
	return err
}

// expand returns the processes to sum: the roots and, unless the Config leaves them
// out, their descendants. This process is among them only if it is a root.
func (s *Sampler) expand() ([]int32, error) {
	s.tree = s.tree[:0]
	for _, m := range s.roots {
		s.tree = append(s.tree, m.pid)
	}
	if s.cfg.NoChildren {
		return s.tree, nil
	}
	roots := len(s.tree)
	tree, err := appendDescendants(s.tree)
	s.tree = tree
	if err != nil {
		return nil, err
	}
	self := int32(os.Getpid())
	if i := slices.Index(tree, self); i >= roots {
		s.tree = slices.Delete(tree, i, i+1)
	}
	return s.tree, nil
}

// sum adds up the processes of tree that still run.
func (s *Sampler) sum(u *Usage, tree []int32) error {
	u.RSSBytes, u.Files, u.Threads = 0, 0, 0
	if s.cfg.PSS {
		u.PSSBytes = 0
	}
	clear(s.failed)
	last := s.known
	s.known = make(map[int32]*member, len(tree))
	for _, m := range s.roots {
		last[m.pid] = m
	}
	for _, pid := range tree {
		m := last[pid]
		if m == nil {
			var st status
			var err error
			if m, st, err = newMember(pid); gone(err) {
				s.addEnded(u, st)
				continue
			} else if err != nil {
				return err
			}
		}
		counted, err := s.add(u, m)
		if err != nil {
			return err
		}
		if counted {
			s.known[pid] = m
		}
	}
	for _, figure := range []string{"fds", "pss"} {
		s.complain(figure, s.failed[figure])
	}
	for _, m := range s.roots {
		if s.known[m.pid] == m {
			u.PIDs = append(u.PIDs, m.pid)
			if m.created.After(u.Start) {
				u.Start = m.created
			}
		}
	}
	return nil
}

// addEnded adds the processor time of a process that has ended and that nobody has
// waited for: then its parent's account has it.
func (s *Sampler) addEnded(u *Usage, st status) {
	if !s.cfg.NoChildren {
		u.CPU += st.cpu + st.reaped
	}
}

// add adds one process, if it still runs; its processor time in any case.
func (s *Sampler) add(u *Usage, m *member) (bool, error) {
	st, alive, err := m.alive()
	if err == nil && !alive {
		s.addEnded(u, st)
	}
	if err != nil || !alive {
		return false, err
	}
	cpu, cpuErr := m.cpu(st, !s.cfg.NoChildren)
	u.CPU += cpu
	mem, err := m.handle.MemoryInfo()
	if err == nil && mem.RSS == 0 && mem.VMS == 0 {
		// It has given its memory back and will have ended in a moment. A process
		// that is swapped out still has an address space.
		return false, nil
	}
	if err == nil {
		err = cpuErr
	}
	files, filesErr := countFiles(m.pid)
	var pss int64
	var pssErr error
	if s.cfg.PSS {
		pss, pssErr = readPSS(m.pid)
	}
	if errors.Join(err, filesErr, pssErr) != nil {
		if _, alive, _ := m.alive(); gone(err) || !alive { // it ended meanwhile
			return false, nil
		}
	}
	if err != nil {
		return false, fmt.Errorf("memlog: process %d cannot be measured: %w", m.pid, err)
	}
	u.Procs++
	u.RSSBytes += int64(min(mem.RSS, math.MaxInt64))
	u.Threads = plus(u.Threads, st.threads)
	u.Files = plus(u.Files, s.orUnknown("fds", files, filesErr))
	if s.cfg.PSS {
		u.PSSBytes = plus(u.PSSBytes, s.orUnknown("pss", pss, pssErr))
	}
	return true, nil
}

// orUnknown returns n, or Unknown if err is not nil: one process without a figure
// makes the sum unknown.
func (s *Sampler) orUnknown(figure string, n int64, err error) int64 {
	if err == nil {
		return n
	}
	if !errors.Is(err, errors.ErrUnsupported) { // this system never has it
		s.failed[figure] = err
	}
	return series.Unknown
}

// connections counts in each network namespace of the processes of tree. It returns
// Unknown if one cannot be counted.
func (s *Sampler) connections(tree []int32) int64 {
	var sum int64
	s.nets = s.nets[:0]
	for _, pid := range tree {
		if s.known[pid] == nil {
			continue
		}
		id, err := netOf(strconv.Itoa(int(pid)))
		if err == nil && slices.Contains(s.nets, id) {
			continue
		}
		var n int64
		if err == nil {
			n, err = s.count(pid, id, s.cfg.Listen, sockdiag.Established)
		}
		if err != nil && s.vanished(pid, err) {
			continue // another process of its network counts it, if there is one
		}
		if s.complain("connections", err) {
			return series.Unknown
		}
		s.nets = append(s.nets, id)
		sum += n
		if !s.looked {
			s.looked = true
			s.lookForListener(pid, id)
		}
	}
	return sum
}

// count counts in the network namespace id, of process pid. Of a namespace that is not
// this process's it keeps nothing open, since that would keep a container's network
// alive after its end.
func (s *Sampler) count(pid int32, id uint64, filters []sockdiag.Filter, state sockdiag.State) (int64, error) {
	counter := s.counter
	if id != s.ownNet {
		var err error
		if counter, err = sockdiag.OpenProcess(pid); err != nil {
			return 0, err
		}
		defer counter.Close()
	}
	counts, err := counter.Count(filters, state)
	return counts[state], err
}

// lookForListener warns if nothing listens on a port whose connections are counted.
// Their address does not matter: what listens on 0.0.0.0 gets those to each.
func (s *Sampler) lookForListener(pid int32, id uint64) {
	for _, f := range s.cfg.Listen {
		if f.Port == 0 {
			continue
		}
		if n, err := s.count(pid, id, []sockdiag.Filter{{Port: f.Port}}, sockdiag.Listen); err == nil && n == 0 {
			s.log.Warn("nothing listens on the port yet: its connections are logged as 0 until something does; is it the server's port?", "port", f.Port)
		}
	}
}

// vanished reports whether err came because the process has ended. The kernel
// answers EINVAL for the network of one that is ending.
func (s *Sampler) vanished(pid int32, err error) bool {
	if errors.Is(err, fs.ErrPermission) {
		return false
	}
	_, alive, _ := s.known[pid].alive()
	return !alive
}

// complain logs once that a figure cannot be measured, and once that it can again.
// It reports whether err is not nil.
func (s *Sampler) complain(figure string, err error) bool {
	switch {
	case err != nil && !s.trouble[figure]:
		s.log.Warn("a figure cannot be measured and is logged as unknown", "figure", figure, "error", err)
	case err == nil && s.trouble[figure]:
		s.log.Info("a figure can be measured again", "figure", figure)
	}
	s.trouble[figure] = err != nil
	return err != nil
}
