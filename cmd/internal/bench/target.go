package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"example.org/comet/flood"
	"example.org/comet/memlog"
	"example.org/comet/msggen"
)

// Target is a server that is not ours: it runs already, and is still running
// when the experiment has ended. Only a URL must be set.
type Target struct {
	// URL is where its streams are, with {id} in it. URLs, if not empty, are the
	// streams instead, one connection each in turn.
	URL  string
	URLs []string
	// FirstID and LastID are the ids for {id}, which the connections take in
	// turn. 0 and 0 are as many as there are connections, from 1.
	FirstID, LastID int64
	// FirstMessageID and LastMessageID are the lowest and the highest id that get
	// messages, 0 that of the connections.
	FirstMessageID, LastMessageID int64
	// Publish is where messages go; nil is for no messages.
	Publish *msggen.PublishConfig
	// PIDs or Match are its processes, if it runs on this machine, as `comet
	// memlog` takes them. Log is a memory log of it, which grows while the
	// experiment goes on: a file, or "-" for Stdin. Without any of the three its
	// memory and its processor time stay unknown.
	PIDs  []int32
	Match string
	Log   string
	Stdin io.Reader

	// What prepare finds.
	pids  []int32 // the processes, without descendants
	log   *serverLog
	addrs []netip.AddrPort
	here  bool // it shares this machine's kernel
}

// validate names what cannot be, for so many connections.
func (t *Target) validate(cfg *Config) error {
	errs := []error{t.floodConfig(cfg).Validate()}
	if t.Publish != nil {
		errs = append(errs, t.Publish.Validate())
	} else if cfg.Rate != "none" {
		errs = append(errs, errors.New("bench: there is nowhere to send messages to: say where they are published, or send none"))
	}
	witnesses := 0
	for _, given := range []bool{len(t.PIDs) > 0, t.Match != "", t.Log != ""} {
		if given {
			witnesses++
		}
	}
	if witnesses > 1 {
		errs = append(errs, errors.New("bench: the server is measured by its pid, by a pattern, or by a log from its own host: choose one of them"))
	}
	if first, last := t.MessageIDs(max(cfg.Connections, 1)); last < first {
		errs = append(errs, fmt.Errorf("bench: messages to ids %d to %d are for nobody: the lower one comes first", first, last))
	}
	return errors.Join(errs...)
}

// floodConfig is a flood of the target by all connections.
func (t *Target) floodConfig(cfg *Config) flood.Config {
	c := flood.Config{
		URL: t.URL, URLs: t.URLs, Connections: cfg.Connections, FirstID: t.FirstID, LastID: t.LastID,
		Header: cfg.Header, InFlight: cfg.InFlight, ConnectTimeout: cfg.ConnectTimeout,
	}
	c.Sources, _ = flood.ParseSources(cfg.Sources) // Config.Validate has seen its error
	return c
}

// prepare finds the target's address and processes, and begins to read its log,
// until ctx ends. Nothing was started by then.
func (t *Target) prepare(ctx context.Context, cfg *Config) error {
	fl, err := flood.New(t.floodConfig(cfg))
	if err != nil {
		return err
	}
	t.addrs = fl.Destinations()
	if len(t.PIDs) > 0 || t.Match != "" {
		sampler, err := memlog.NewSampler(memlog.Config{PIDs: t.PIDs, Match: t.Match})
		if err != nil {
			return fmt.Errorf("bench: the server to be measured: %w", err)
		}
		usage, err := sampler.Take()
		if err != nil {
			return fmt.Errorf("bench: the server to be measured: %w", err)
		}
		t.pids = usage.PIDs
	}
	if t.Log != "" {
		if t.log, err = openServerLog(ctx, t.Log, t.Stdin); err != nil {
			return err
		}
	}
	t.here = len(t.pids) > 0 || t.isOurs()
	return nil
}

// isOurs tells whether all addresses of the target are this machine's.
func (t *Target) isOurs() bool {
	for _, addr := range t.addrs {
		if !isLocal(addr.Addr()) {
			return false
		}
	}
	return true
}

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

// measured tells whether somebody sees what the server uses.
func (t *Target) measured() bool { return len(t.pids) > 0 || t.log != nil }

// String says where it is.
func (t *Target) String() string {
	if len(t.URLs) > 0 {
		return fmt.Sprintf("%s and %d more", t.URLs[0], len(t.URLs)-1)
	}
	return t.URL
}

// label is the target in the name of a folder.
func (t *Target) label() string {
	_, host, _ := strings.Cut(strings.TrimSuffix(t.String(), "/"), "://")
	host, _, _ = strings.Cut(host, "/")
	return strings.Map(func(r rune) rune {
		if r == '.' || r == '-' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
			return r
		}
		return '_'
	}, host)
}

// ids is how many ids so many connections have.
func (t *Target) ids(connections int) int64 {
	if t.LastID == 0 {
		return int64(connections)
	}
	return min(t.LastID-t.firstID()+1, int64(connections))
}

func (t *Target) firstID() int64 {
	if t.LastID == 0 {
		return max(t.FirstID, 1)
	}
	return t.FirstID
}

// MessageIDs are the ids that get messages, of so many connections.
func (t *Target) MessageIDs(connections int) (first, last int64) {
	first, last = t.firstID(), t.firstID()+t.ids(connections)-1
	return cmp.Or(t.FirstMessageID, first), cmp.Or(t.LastMessageID, last)
}

// oneForEach tells that each message is for exactly one connection.
func (t *Target) oneForEach(connections int) bool {
	first, last := t.MessageIDs(connections)
	return len(t.URLs) == 0 && strings.Contains(t.URL, "{id}") && t.ids(connections) == int64(connections) &&
		first >= t.firstID() && last < t.firstID()+int64(connections)
}

// take measures the server's processes; nil if they cannot be told. Of a log it
// is the newest sample since a moment.
func (t *Target) take(since time.Time, deep depth) *memlog.Usage {
	if t.log != nil {
		return t.log.newest(since)
	}
	if len(t.pids) == 0 {
		return nil
	}
	return sampleOf(memlog.Config{PIDs: t.pids}, deep)
}

// gone is an error if a process of the target has ended.
func (t *Target) gone() error {
	for _, pid := range t.pids {
		if _, err := memlog.NewSampler(memlog.Config{PIDs: []int32{pid}, NoChildren: true}); errors.Is(err, memlog.ErrNoTarget) {
			return fmt.Errorf("bench: the server under test (pid %d) has ended: its own log should say why", pid)
		}
	}
	return nil
}

// watchTarget ends ctx when a process of the target has ended.
func (e *experiment) watchTarget(ctx context.Context, cancel context.CancelCauseFunc) {
	for wait(ctx, 250*time.Millisecond) == nil {
		if err := e.cfg.Target.gone(); err != nil {
			e.targetGone.Store(true)
			cancel(err)
			return
		}
	}
}

// listen is where memlog counts the connections of the processes: at the
// address of the URL, or if that is not this machine's, as with a container's
// published port, nowhere.
func (t *Target) listen() []string {
	var filters []string
	if !t.isOurs() {
		return nil
	}
	for _, addr := range t.addrs {
		filters = append(filters, "--listen", addr.String())
	}
	return filters
}

// publishArgs are the flags of `comet msggen` for it.
func (t *Target) publishArgs() []string {
	p := t.Publish
	args := []string{"--publish", p.URL, "--publish-connections", strconv.Itoa(max(p.Connections, 1))}
	if p.Method != "" {
		args = append(args, "--method", p.Method)
	}
	if p.Body != "" {
		args = append(args, "--body", p.Body)
	}
	for _, line := range p.Header {
		args = append(args, "--header", line)
	}
	return args
}
