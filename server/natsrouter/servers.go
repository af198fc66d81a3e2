package natsrouter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// Servers says how to reach the NATS servers that messages go through. Only
// URLs must be set.
type Servers struct {
	// URLs are those of one server, or of several of one cluster, any of which will
	// do: nats://host:port, or tls://host:port. No port means 4222.
	URLs []string
	// Credentials lets this client in: "user:password", a token, or the text of
	// a NATS .creds file. Empty is none.
	Credentials string
	// CAFile has the certificates (PEM) that the servers' are checked against
	// instead of the system's; CertFile and KeyFile are this client's own.
	CAFile, CertFile, KeyFile string
	// SubjectPrefix is what the subjects of messages begin with; empty means
	// DefaultSubjectPrefix. Servers and senders that belong together share it.
	SubjectPrefix string
	// Name is what the servers' own lists call this client.
	Name string
	// Logger takes diagnostics, such as lost connections; nil discards them.
	Logger *slog.Logger
}

// How soon reconnecting begins, and how soon the loss of a server that went
// without a word is noticed: after two pings without an answer.
const (
	reconnectFirst   = 50 * time.Millisecond
	reconnectLongest = 500 * time.Millisecond
	pingInterval     = 5 * time.Second
	dialTimeout      = 2 * time.Second
)

func (s Servers) withDefaults() Servers {
	if s.SubjectPrefix == "" {
		s.SubjectPrefix = DefaultSubjectPrefix
	}
	if s.Name == "" {
		s.Name = "comet"
	}
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	return s
}

// Validate returns an error that names everything that cannot be.
func (s Servers) Validate() error {
	s = s.withDefaults()
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("natsrouter: "+format, args...)) }
	if len(s.URLs) == 0 {
		bad("no router: give one, such as nats://127.0.0.1:4222")
	}
	for _, u := range s.URLs {
		if err := CheckURL(u); err != nil {
			bad("router %w", err)
		}
	}
	if err := checkPrefix(s.SubjectPrefix); err != nil {
		bad("%w", err)
	}
	if (s.CertFile == "") != (s.KeyFile == "") {
		bad("a certificate and its key come together: give both files")
	}
	for _, file := range []string{s.CAFile, s.CertFile, s.KeyFile} {
		if file == "" {
			continue
		}
		if _, err := os.Stat(file); err != nil {
			bad("%w", err)
		}
	}
	if _, err := s.Login(); err != nil {
		bad("%w", err)
	}
	return errors.Join(errs...)
}

// CheckURL returns what is wrong with the URL of a NATS server.
func CheckURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "":
		return fmt.Errorf("%q: write nats://host:port, such as nats://127.0.0.1:4222", text)
	case u.Scheme != "nats" && u.Scheme != "tls":
		return fmt.Errorf("%q: the scheme must be nats or tls, as in nats://%s", text, u.Host)
	case u.User != nil:
		// Every user of the machine sees the arguments of a program.
		return fmt.Errorf("%s://%s: credentials do not belong in the address: put them into a file or the environment", u.Scheme, u.Host)
	}
	return nil
}

// Login returns the option of nats.Connect that lets this client in, nil for
// none.
func (s Servers) Login() (nats.Option, error) {
	text := strings.TrimSpace(s.Credentials)
	switch {
	case text == "":
		return nil, nil
	case strings.HasPrefix(text, "-----BEGIN NATS USER JWT-----"):
		return nats.UserCredentialBytes([]byte(text)), nil
	case strings.ContainsAny(text, "\r\n"):
		return nil, errors.New(`the credentials have several lines: write one "user:password" or a token, or give a NATS .creds file`)
	}
	if user, password, found := strings.Cut(text, ":"); found {
		return nats.UserInfo(user, password), nil
	}
	return nats.Token(text), nil
}

// Connect connects to a server, or with nats.RetryOnFailedConnect among the
// options goes on trying. After a loss it reconnects to any of the servers,
// however long that takes; what is published meanwhile is refused rather than
// kept for later, so that its publisher knows.
func (s Servers) Connect(ctx context.Context, options ...nats.Option) (*nats.Conn, error) {
	s = s.withDefaults()
	login, err := s.Login()
	if err != nil {
		return nil, fmt.Errorf("natsrouter: %w", err)
	}
	all := []nats.Option{
		nats.Name(s.Name),
		nats.Timeout(dialTimeout),
		nats.PingInterval(pingInterval),
		nats.MaxPingsOutstanding(2),
		nats.MaxReconnects(-1),
		nats.ReconnectBufSize(-1),
		nats.CustomReconnectDelay(reconnectDelay),
		nats.IgnoreAuthErrorAbort(), // credentials may be corrected while we wait
	}
	if login != nil {
		all = append(all, login)
	}
	if s.CAFile != "" {
		all = append(all, nats.RootCAs(s.CAFile))
	}
	if s.CertFile != "" {
		all = append(all, nats.ClientCert(s.CertFile, s.KeyFile))
	}
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	conn, err := nats.Connect(strings.Join(s.URLs, ","), append(all, options...)...)
	if err != nil {
		return nil, s.explain(err)
	}
	return conn, nil
}

// reconnectDelay returns the wait before all servers are tried once more.
func reconnectDelay(attempts int) time.Duration {
	return min(reconnectFirst<<min(attempts-1, 10), reconnectLongest)
}

// explain wraps a failure to connect with what it means and what to do.
func (s Servers) explain(err error) error {
	where := strings.Join(s.URLs, ", ")
	switch {
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked):
		return fmt.Errorf("natsrouter: the router at %s does not let us in: check the credentials: %w", where, err)
	case errors.Is(err, nats.ErrNoInfoReceived), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		return fmt.Errorf("natsrouter: what listens at %s does not answer as a NATS server does: correct the address, or see why that server hangs: %w", where, err)
	case errors.Is(err, nats.ErrNoServers):
		return fmt.Errorf("natsrouter: no router answers at %s: start one with `comet router`, or correct the address: %w", where, err)
	case errors.Is(err, nats.ErrSecureConnWanted), errors.Is(err, nats.ErrSecureConnRequired):
		return fmt.Errorf("natsrouter: one side wants TLS and the other does not, at %s: write tls:// for a router with a certificate: %w", where, err)
	}
	return fmt.Errorf("natsrouter: the router at %s: %w", where, err)
}
