package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"example.org/comet/cmd/internal/fleet"
	"example.org/comet/cmd/internal/probe"
	"example.org/comet/cmd/internal/result"
	"example.org/comet/flood"
	"example.org/comet/memlog"
	"example.org/comet/msggen"
	"example.org/comet/sysctl"
)

// foreign is a site whose server runs already, and runs on.
type foreign struct {
	*Target
	pids  []int32    // its processes, without descendants
	log   *probe.Log // nil if there is none
	addrs []netip.AddrPort

	// Of the run that is under way.
	run      *run
	stopCopy func() error
}

// newForeign finds the target's address and processes, and follows its log.
func newForeign(cfg *Config) (*foreign, error) {
	f := &foreign{Target: cfg.Target}
	fl, err := flood.New(f.floodConfig(cfg))
	if err != nil {
		return nil, err
	}
	f.addrs = fl.Destinations()
	if len(f.PIDs) > 0 || f.Match != "" {
		sampler, err := memlog.NewSampler(memlog.Config{PIDs: f.PIDs, Match: f.Match})
		if err != nil {
			return nil, fmt.Errorf("bench: the server to be measured: %w", err)
		}
		defer sampler.Close()
		usage, err := sampler.Take()
		if err != nil {
			return nil, fmt.Errorf("bench: the server to be measured: %w", err)
		}
		f.pids = usage.PIDs
	}
	if f.Log != "" {
		if f.log, err = probe.OpenLog(f.Log, f.Stdin); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// label returns the host, as far as the name of a folder can hold it.
func (f *foreign) label() string {
	_, host, _ := strings.Cut(strings.TrimSuffix(f.String(), "/"), "://")
	host, _, _ = strings.Cut(host, "/")
	return strings.Map(func(r rune) rune {
		if r == '.' || r == '-' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
			return r
		}
		return '_'
	}, host)
}

func (f *foreign) arrange(cfg *Config, system sysctl.System) *plan {
	p := &plan{pairs: cfg.floods(room(system))}
	for i := range p.pairs {
		one := &p.pairs[i]
		// Of users with ids of their own, each flood goes on where the one before it
		// ends: a number behind the last row is the first one again.
		if f.ids(cfg.rooms()) < int64(cfg.rooms()) && !cfg.Streams.Users.HasID() {
			one.firstID, one.ids = f.first(), f.ids(cfg.rooms())
			continue
		}
		one.firstID += f.first() - 1
	}
	p.firstID, p.lastID = f.messageIDs(cfg.rooms())
	p.terms = terms{target: f.label(), here: f.here(), posted: true, each: f.each(cfg, p.pairs)}
	p.need = sysctl.Need{
		Connections: cfg.Connections, Role: sysctl.Client, Processes: len(p.pairs), Destinations: len(f.addrs), BytesPerConnection: processBytes, SocketBytes: leastEndBytes,
		SourceAddresses: 1, // unless they are planned, the kernel chooses
	}
	if p.here {
		p.need.Role = sysctl.Both
	}
	if cfg.crew != nil { // here are the connections of the warm-up alone
		p.need.Connections, p.need.Processes = min(cfg.Connections, warmUps), 1
	}
	p.planSources(cfg, system, f.all(func(addr netip.Addr) bool { return addr.Is4() && addr.IsLoopback() }))
	return p
}

func (f *foreign) resize(p *plan, cfg *Config) {
	p.firstID, p.lastID = f.messageIDs(cfg.rooms())
	p.each = f.each(cfg, divide(cfg.Connections, cfg.subscribers(), 0))
}

// all reports whether something is true of all addresses of the target.
func (f *foreign) all(is func(netip.Addr) bool) bool {
	for _, addr := range f.addrs {
		if !is(addr.Addr()) {
			return false
		}
	}
	return true
}

// here reports whether the target shares this machine's kernel.
func (f *foreign) here() bool { return len(f.pids) > 0 || f.all(isLocal) }

func isLocal(addr netip.Addr) bool {
	if addr.IsLoopback() {
		return true
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range own {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr().Unmap() == addr.Unmap() {
			return true
		}
	}
	return false
}

func (f *foreign) open(ctx context.Context, r *run) (err error) {
	f.run, f.stopCopy = r, nil
	measured := "memory not measured (name --pid, --match or --server-log)"
	if by := f.witness(); by != "" {
		measured = "measured by " + by
	}
	r.progress.line("server   %v, %s, for %d connections; results in %s", f.Target, measured, f.run.cfg.Connections, r.folder)
	if err := f.gone(); err != nil {
		return err
	}
	ended := r.show("start", func() (float64, float64, string) { return 0, uncounted, "warming up" })
	warmUp := f.warmUp()
	if f.log == nil { // a log is too slow to show these moments
		r.rec.cold = r.take(false)
		warmUp.held = func(connections int) { r.rec.warm, r.rec.warmed = r.take(false), connections }
	}
	failures, err := warmUp.run(ctx)
	ended()
	if err != nil {
		return fmt.Errorf("%v: %w", f.Target, err)
	}
	if failures != "" {
		r.progress.line("         of the warm-up's connections, %s", failures)
	}
	switch {
	case f.log != nil:
		r.memlogBehind = f.log.Behind
		f.stopCopy, err = f.log.CopyTo(filepath.Join(r.folder, memLog))
	case len(f.pids) > 0:
		err = r.logMemory(ctx, pidArgs(f.pids, f.countedAt()))
	}
	return err
}

func (f *foreign) serve(context.Context, int) (int, error) { return 0, nil }

// witness returns what measures the target's memory, "" if nothing does.
func (f *foreign) witness() string {
	switch {
	case f.log != nil:
		return "the memory log from " + f.log.Name
	case len(f.pids) == 1:
		return fmt.Sprintf("pid %d and its descendants", f.pids[0])
	case len(f.pids) > 1:
		return "pids " + strings.ReplaceAll(strings.Trim(fmt.Sprint(f.pids), "[]"), " ", ",") + " and their descendants"
	}
	return ""
}

// countedAt returns where memlog counts the connections of the processes: at the
// address of the URL, or nowhere if that is not this machine's, as with a
// container's published port.
func (f *foreign) countedAt() (list []string) {
	if !f.all(isLocal) {
		return nil
	}
	for _, addr := range f.addrs {
		list = append(list, addr.String())
	}
	return list
}

func (f *foreign) warmUp() warmUp {
	w := warmUp{streams: f.floodConfig(f.run.cfg), arrival: 2 * time.Second}
	w.streams.Sources = f.run.plan.warmUpSources
	w.streams.Connections = warmUps
	if len(f.URLs) > 0 || w.streams.Users != nil || w.streams.SaysID() || f.run.cfg.subscribers() > 1 {
		w.streams.Connections = int(min(warmUps, f.ids(f.run.cfg.rooms())*int64(f.run.cfg.subscribers())))
	}
	if f.Publish != nil && f.run.plan.rate != 0 {
		w.publish = f.publishOnce
	}
	return w
}

// publishOnce publishes one message to each of the first ids that get any. It
// returns an error if nothing is accepted.
func (f *foreign) publishOnce(ctx context.Context, _ int) (err error) {
	ctx, cancel := fleet.WithPatience(ctx, patience, errors.New("bench: the server did not get through the warm-up's messages"))
	defer cancel()
	sender, err := msggen.NewPublishSender(*f.Publish)
	if err != nil {
		return err
	}
	if err := sender.Open(ctx); err != nil {
		return fmt.Errorf("bench: warm-up: %w", err)
	}
	p := f.run.plan
	for id := p.firstID; id <= min(p.lastID, p.firstID+warmUps-1) && err == nil; id++ {
		err = sender.Send(id, []byte("warm-up"))
	}
	if err == nil {
		err = sender.Settle(ctx)
	}
	if closeErr := sender.Close(ctx); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("bench: warm-up: %w", err)
	}
	return nil
}

func (f *foreign) streams(i int) (string, []string) {
	if len(f.URLs) == 0 {
		return f.URL, nil
	}
	return "", f.urlsOf(f.run.plan, i)
}

// urlsOf returns the URLs of flood i.
func (f *foreign) urlsOf(p *plan, i int) (list []string) {
	before, urls := 0, p.pairs[i].connections
	for _, earlier := range p.pairs[:i] {
		before += earlier.connections
	}
	if p.subscribers > 1 {
		before, urls = before/p.subscribers, int(p.pairs[i].ids)
	}
	for n := range min(urls, len(f.URLs)) {
		list = append(list, f.URLs[(before+n)%len(f.URLs)])
	}
	return list
}

// writeURLs writes the URLs of flood i into the folder, and returns the file's
// name: a command line would not hold them.
func writeURLs(folder string, i int, urls []string) (string, error) {
	path := filepath.Join(folder, fmt.Sprintf("urls-%d.txt", i+1))
	if err := os.WriteFile(path, []byte(strings.Join(urls, "\n")+"\n"), 0o644); err != nil {
		return "", fmt.Errorf("bench: the URLs of a flood cannot be written: %w", err)
	}
	return path, nil
}

func (f *foreign) publisher() []string { return publishArgs(f.run.cfg, f.Publish) }

func (f *foreign) members(since time.Time) []member {
	server := member{Part: probe.Part{Role: "server", Number: 1}}
	switch {
	case f.log != nil:
		server.read = f.log.Since(since)
	case len(f.pids) > 0:
		server.read = probe.Trees(f.pids)
	default:
		return nil
	}
	if len(f.pids) == 1 {
		server.pid = result.Of(f.pids[0])
	}
	return []member{server}
}

func (f *foreign) await(ctx context.Context, since time.Time) error {
	if f.log == nil {
		return nil
	}
	return f.log.Await(ctx, since)
}

func (f *foreign) traffic(context.Context) (*traffic, error) {
	return nil, nil //nolint:nilnil // it is not asked, which is not an error
}

func (f *foreign) collect(context.Context) (map[probe.Part]result.Figure, error) {
	return nil, nil //nolint:nilnil // as for traffic
}

func (f *foreign) gone() error {
	for _, pid := range f.pids {
		sampler, err := memlog.NewSampler(memlog.Config{PIDs: []int32{pid}, NoChildren: true})
		if errors.Is(err, memlog.ErrNoTarget) {
			return fmt.Errorf("bench: the server under test (pid %d) has ended: its own log should say why", pid)
		}
		if err == nil {
			sampler.Close()
		}
	}
	return nil
}

func (f *foreign) hung(context.Context) error { return nil }

func (f *foreign) close() (troubles []string) {
	if f.log == nil {
		return nil
	}
	if trouble := f.log.Trouble(); trouble != "" {
		troubles = append(troubles, trouble)
	}
	if f.stopCopy != nil {
		if err := f.stopCopy(); err != nil {
			troubles = append(troubles, err.Error())
		}
	}
	return troubles
}

func (f *foreign) leave() {
	if f.log != nil {
		f.log.Close()
	}
}
