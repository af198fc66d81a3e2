//go:build !nonats

package natsrouter

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// option is one of nats.Connect.
type option = nats.Option

// How soon reconnecting begins, and how soon the loss of a server that went
// without a word is noticed: after two pings without an answer.
const (
	reconnectFirst   = 50 * time.Millisecond
	reconnectLongest = 500 * time.Millisecond
	pingInterval     = 5 * time.Second
	dialTimeout      = 2 * time.Second
)

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
		nats.SetCustomDialer(newDialer()),
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
