package live

import (
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"os"
	"sync"
	"time"

	"example.org/comet/cmd/internal/result"
	"example.org/comet/server/adminhttp"
	"example.org/comet/server/neterr"
)

// Config says where the page is and what it is of. Only Address must be set.
type Config struct {
	// Address is where to listen; port 0 lets the kernel choose. Off loopback it
	// demands Token.
	Address string
	// Token must come as a bearer token with every request to an address off
	// loopback. On loopback it is not demanded: no browser would send it.
	Token string
	// Title says what is run.
	Title string
	// Version is the label of comet_build_info.
	Version string
	// Logger takes diagnostics; nil discards them.
	Logger *slog.Logger
}

//go:embed page
var files embed.FS

// maxViewers is how many may follow the run at a time. There are a few connections
// more, for /metrics and for the page itself.
const (
	maxViewers     = 32
	maxConnections = maxViewers + 4
)

// Server serves the page of one run. Its methods are safe for concurrent use.
type Server struct {
	admin   *adminhttp.Server
	title   string
	viewing sync.WaitGroup

	mu      sync.Mutex
	started time.Time // when the first moment began
	last    result.Moment
	soFar   result.Quantiles
	offset  float64 // of the seconds of the run that goes on, where there are several
	before  totals  // of the runs before that one
	history history
	viewers map[*viewer]struct{}
	ended   []byte // the last event, nil while the run goes on
	closed  bool
}

// admin returns the settings of the listener.
func (c *Config) admin() adminhttp.Config {
	a := adminhttp.Config{
		Address: c.Address, Token: c.Token, Name: "the live page",
		MaxConnections: maxConnections, Logger: c.Logger,
	}
	if adminhttp.OnLoopback(c.Address) {
		a.Token = ""
	}
	return a
}

// New opens the listener. Its errors say what to do about the setting.
func New(cfg Config) (*Server, error) {
	settings := cfg.admin()
	if err := errors.Join(settings.Validate()...); err != nil {
		return nil, err
	}
	admin, err := adminhttp.Listen(settings)
	if err != nil {
		return nil, listenError(cfg.Address, err)
	}
	s := &Server{admin: admin, title: cmp.Or(cfg.Title, "comet"), viewers: make(map[*viewer]struct{})}
	admin.AddPage(files, "page")
	admin.HandleFunc("GET /events", s.events)
	admin.AddMetrics(cfg.Version, adminhttp.ResidentBytes, s.metrics)
	return s, nil
}

// listenError explains why an address cannot be listened on.
func listenError(address string, err error) error {
	hint := ""
	switch {
	case neterr.IsAddrInUse(err):
		hint = ": another program listens there; choose another port, or 0 for a free one"
	case neterr.IsAddrNotAvail(err):
		hint = ": this machine has no such address"
	case errors.Is(err, fs.ErrPermission):
		hint = ": ports below 1024 need root or CAP_NET_BIND_SERVICE"
	}
	return fmt.Errorf("cannot open the live page on %s: %w%s", address, err, hint)
}

// Addr returns where the server listens.
func (s *Server) Addr() net.Addr { return s.admin.Addr() }

// Directions returns lines for whoever started the run: where the page is, and how
// to get to it from another machine.
func (s *Server) Directions() string {
	host, port, err := net.SplitHostPort(s.Addr().String())
	if err != nil {
		return "live page on " + s.Addr().String() + "\n"
	}
	machine, err := os.Hostname()
	if err != nil {
		machine = "HOST"
	}
	if adminhttp.OnLoopback(s.Addr().String()) {
		at := net.JoinHostPort(host, port)
		return fmt.Sprintf("live page  http://%s/\n  from another machine: ssh -L %s:%s %s, and then http://127.0.0.1:%s/\n", at, port, at, machine, port)
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = machine
	}
	return fmt.Sprintf("live page  http://%s/ and /metrics, with the token (Authorization: Bearer TOKEN)\n"+
		"  in a browser, which sends no token: --metrics 127.0.0.1:%s, and ssh -L %s:127.0.0.1:%s %s\n", net.JoinHostPort(host, port), port, port, port, machine)
}

// Run serves until ctx ends. Viewers get what was said last.
func (s *Server) Run(ctx context.Context) error {
	served := make(chan error, 1)
	go func() { served <- s.admin.Serve() }()
	select {
	case err := <-served:
		s.dismiss()
		s.viewing.Wait()
		return fmt.Errorf("live: the page is served no more: %w", err)
	case <-ctx.Done():
	}
	s.dismiss()
	_ = s.admin.Shutdown() // what it could not end in time, it has cut off
	s.viewing.Wait()
	return <-served
}

// Close frees the listener of a server that is not to Run.
func (s *Server) Close() error { return s.admin.Close() }

// Add shows what was seen of the run at one moment, and the latency over the run so
// far. Moments whose seconds begin again are those of the next run of a series, and
// are shown behind the last. It keeps the newest moments as they are. Of older ones
// it makes one: rates and CPU become their mean, memory the most of them, and a latency
// the worst.
func (s *Server) Add(m result.Moment, soFar result.Quantiles) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil {
		return
	}
	now := time.Now()
	if s.started.IsZero() {
		s.started = now.Add(-seconds(m.Seconds))
	}
	if m.Seconds+s.offset < s.last.Seconds {
		s.offset = max(now.Sub(s.started).Seconds()-m.Seconds, s.last.Seconds)
		s.before = s.before.with(s.last)
	}
	m.Seconds += s.offset
	m.CPU = maps.Clone(m.CPU)
	s.last, s.soFar = m, soFar
	s.history.add(m)
	s.tell(event(struct {
		Type   string           `json:"type"`
		Moment json.RawMessage  `json:"moment"`
		SoFar  result.Quantiles `json:"so_far_ms"`
	}{"moment", s.history.newest().json(), soFar}))
}

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

// End ends the run on the page, with what came of it. Only the first call counts.
func (s *Server) End(verdict string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil {
		return
	}
	s.ended = event(struct {
		Type    string `json:"type"`
		Verdict string `json:"verdict"`
	}{"end", verdict})
	s.tell(s.ended)
}
