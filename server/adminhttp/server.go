package adminhttp

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Config says how to listen. Only Address must be set.
type Config struct {
	// Address is where to listen; port 0 lets the kernel choose. Off loopback it
	// demands Token.
	Address string
	// Name is what errors call the listener. Empty means "the admin listener".
	Name string
	// Token, if set, must come as a bearer token with every request but those for
	// /healthz and /readyz.
	Token string
	// Hosts are names of this machine that a request without token may be for,
	// besides localhost and IP addresses.
	Hosts []string
	// CertFile and KeyFile (PEM) turn TLS on.
	CertFile, KeyFile string
	// MaxConnections limits the connections; 0 means 16. When all are taken, a line in
	// the log says so, with MoreConnections: what whoever reads it can do, if anything.
	MaxConnections  int
	MoreConnections string
	// Logger takes diagnostics; nil discards them.
	Logger *slog.Logger
}

// How long a client may take for a head, for the whole of a request, and between
// two requests. A generator's client closes an idle connection after 90 s, and
// should be the first to.
const (
	headTimeout    = 10 * time.Second
	requestTimeout = 30 * time.Second
	idleTimeout    = 2 * time.Minute
)

// DefaultMaxConnections is what Config.MaxConnections 0 means.
const DefaultMaxConnections = 16

// Validate returns everything that cannot be. The errors are sentences for the
// caller to wrap.
func (c Config) Validate() []error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if _, _, err := net.SplitHostPort(c.Address); err != nil {
		bad("address %q: %w; write host:port, such as 127.0.0.1:8001", c.Address, err)
	}
	if c.Token == "" && !OnLoopback(c.Address) {
		bad("%s on %s can be reached from other machines: give it a token (--admin-token-file FILE, or COMET_ADMIN_TOKEN), or put it on 127.0.0.1", cmp.Or(c.Name, "the admin listener"), c.Address)
	}
	for _, name := range c.Hosts {
		if err := checkHost(name); err != nil {
			errs = append(errs, err)
		}
	}
	if _, err := c.tls(); err != nil {
		errs = append(errs, err)
	}
	return errs
}

// tls returns the settings of TLS, nil without a certificate.
func (c Config) tls() (*tls.Config, error) {
	switch {
	case c.CertFile == "" && c.KeyFile == "":
		return nil, nil
	case c.CertFile == "" || c.KeyFile == "":
		return nil, errors.New("TLS on the admin listener needs a certificate and its key: give --admin-tls-cert and --admin-tls-key")
	}
	pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("the admin listener's certificate %s with its key %s: %w", c.CertFile, c.KeyFile, err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}

// warnFull logs that all connections are taken.
func (c Config) warnFull(logger *slog.Logger) {
	attrs := []any{"listener", cmp.Or(c.Name, "the admin listener"), "connections", cmp.Or(c.MaxConnections, DefaultMaxConnections)}
	if c.MoreConnections != "" {
		attrs = append(attrs, "for_more", c.MoreConnections)
	}
	logger.Warn("all connections that this listener may have are taken: a new one takes the place of the one that has waited longest, or waits", attrs...)
}

// Server is an admin listener with its pages. Its methods are safe for
// concurrent use, but handlers are added before Serve.
type Server struct {
	listener *Listener
	secure   net.Listener // listener, or TLS over it
	guard    *Guard
	mux      *http.ServeMux
	paths    []string // of the patterns, in order
	// open are the patterns of HandleOpen.
	open   map[string]bool
	http   http.Server
	divert *diversion // nil without one
	// hangingUp counts the connections that HangUp works on.
	hangingUp sync.WaitGroup
}

// Listen opens the listener. Connections wait in the kernel until Serve. Its
// error is that of net.Listen, for the caller to explain; an invalid Config is
// the caller's mistake.
func Listen(cfg Config) (*Server, error) {
	secrets, err := cfg.tls()
	if err != nil {
		return nil, err
	}
	ln, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", cfg.Address)
	if err != nil {
		return nil, err
	}
	logger := cfg.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		listener: Limit(ln, cmp.Or(cfg.MaxConnections, DefaultMaxConnections)),
		guard:    NewGuard(cfg.Token, cfg.Hosts),
		mux:      http.NewServeMux(),
		open:     make(map[string]bool),
	}
	s.listener.full = func() { cfg.warnFull(logger) }
	s.secure = s.listener
	if secrets != nil {
		s.secure = tls.NewListener(s.listener, secrets)
	}
	s.http = http.Server{
		Handler:                      http.HandlerFunc(s.check),
		DisableGeneralOptionsHandler: true, // OPTIONS * is checked like the rest
		ReadHeaderTimeout:            headTimeout,
		ReadTimeout:                  requestTimeout,
		IdleTimeout:                  idleTimeout,
		MaxHeaderBytes:               64 << 10,
		ConnState:                    s.listener.follow,
		ConnContext:                  connContext,
		ErrorLog:                     errorLog(logger),
	}
	return s, nil
}

// errorLog returns where net/http logs. Any client can fail in a TLS handshake, as often
// as it likes: only the first one is a warning.
func errorLog(logger *slog.Logger) *log.Logger {
	h := logger.Handler()
	return log.New(&errorLines{warn: slog.NewLogLogger(h, slog.LevelWarn), detail: slog.NewLogLogger(h, slog.LevelDebug)}, "", 0)
}

type errorLines struct {
	warn, detail *log.Logger
	failed       atomic.Bool // a handshake has
}

// Write takes a line.
func (l *errorLines) Write(line []byte) (int, error) {
	to := l.warn
	if bytes.HasPrefix(line, []byte("http: TLS handshake error ")) && l.failed.Swap(true) {
		to = l.detail
	}
	to.Print(string(line))
	return len(line), nil
}

// Addr returns where the server listens.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// HandleFunc adds a handler, by a pattern of http.ServeMux.
func (s *Server) HandleFunc(pattern string, handler http.HandlerFunc) {
	s.mux.HandleFunc(pattern, handler)
	s.addPath(pattern)
}

// HandleOpen adds a handler that gets requests without the token as well. It decides
// by itself who may do what, with the help of [Server.CarriesToken].
func (s *Server) HandleOpen(pattern string, handler http.HandlerFunc) {
	s.open[pattern] = true
	s.HandleFunc(pattern, handler)
}

// CarriesToken reports whether a request has the token of this listener, which there
// is.
func (s *Server) CarriesToken(r *http.Request) bool {
	return s.guard.hasToken && s.guard.carriesToken(r.Header.Get("Authorization"))
}

// Serve answers until Shutdown, and then returns nil.
func (s *Server) Serve() error {
	listener := s.secure
	if s.divert != nil {
		listener = s.divert
		go s.divert.run()
	}
	if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Shutdown ends the server. Requests under way, and last answers, have half a second
// to end.
func (s *Server) Shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second/2)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = s.http.Close() // a client that stays, such as a running profile
	}
	ended := make(chan struct{})
	go func() {
		s.hangingUp.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		s.listener.closeAll() // a client that does not read
		<-ended
	}
	return err
}

// Close frees the listener of a server that is not to Serve.
func (s *Server) Close() error { return s.listener.Close() }

// check passes on the requests that may pass.
func (s *Server) check(w http.ResponseWriter, r *http.Request) {
	connOf(r).enter(answer)
	refusal := s.guard.Check(plain(r))
	if refusal == nil || refusal.Code == http.StatusUnauthorized && s.isOpen(r) {
		s.serve(w, r)
		return
	}
	w.Header().Set("Connection", "close") // whatever body is to come
	if refusal.Code == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	Fail(w, refusal.Code, refusal.Reason)
}

// isOpen reports whether the handler of a request is one of HandleOpen.
func (s *Server) isOpen(r *http.Request) bool {
	_, pattern := s.mux.Handler(r)
	return s.open[pattern]
}

// plain returns what a Guard looks at. net/http has refused a second Host, and
// HTTP/1.1 without one; for a target that names a host it has put that in the
// place of the field (RFC 9112 section 3.2.2).
func plain(r *http.Request) Request {
	var hosts []string
	if r.Host != "" || r.ProtoAtLeast(1, 1) {
		hosts = []string{r.Host}
	}
	return Request{
		Method: r.Method, Target: r.RequestURI, Hosts: hosts,
		Origin: r.Header.Get("Origin"), FetchSite: r.Header.Get("Sec-Fetch-Site"), Authorization: r.Header.Get("Authorization"),
	}
}

// Hold lets a request take as long as it likes: neither its body nor its
// answer has a deadline, and its connection keeps its place when the listener is
// full. It answers 503 and reports false when as many are held as may be.
func Hold(w http.ResponseWriter, r *http.Request) bool {
	if !connOf(r).enter(held) {
		w.Header().Set("Connection", "close")
		w.Header().Set("Retry-After", "1")
		Fail(w, http.StatusServiceUnavailable, "too many requests that take long are open: end some, or try again later")
		return false
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // fails on a connection that is closed
	return true
}

// HangUp answers 503 to a client whose body was cut short, and which may still
// be sending. net/http would close the connection at once, and the reset that
// the client gets for what it sends would eat the answer. HangUp reads on until
// linger is over.
func (s *Server) HangUp(w http.ResponseWriter, body any, linger time.Duration) {
	s.hangingUp.Add(1)
	defer s.hangingUp.Done()
	w.Header().Set("Connection", "close")
	Reply(w, http.StatusServiceUnavailable, body)
	control := http.NewResponseController(w)
	_ = control.Flush() // an error is a client that is gone
	conn, _, err := control.Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	s.linger(conn, linger)
}

// Problem is the body of an answer that is not what was asked for.
type Problem struct {
	Error string `json:"error"`
}

// Fail answers with a Problem.
func Fail(w http.ResponseWriter, code int, sentence string) { Reply(w, code, Problem{sentence}) }

// Reply answers with body as a line of JSON.
func Reply(w http.ResponseWriter, code int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	text = append(text, '\n')
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(code)
	_, _ = w.Write(text) // an error is a client that is gone
}
