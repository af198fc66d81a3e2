package msggen

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"example.org/comet/server/neterr"
	"example.org/comet/server/tlsclient"
)

// dial connects to any of the server's addresses, within the time that an answer
// may take: a server may be slow to accept.
func (s *PublishSender) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, s.config.AnswerTimeout)
	defer cancel()
	conn, err := s.connect(ctx, "tcp", s.template.address)
	if err != nil {
		return nil, s.unreachable(err)
	}
	if !s.template.tls {
		return conn, nil
	}
	secure, err := handshake(ctx, conn, s.config.TLS, s.template.host)
	if err != nil {
		return nil, s.insecure(err)
	}
	return secure, nil
}

// handshake returns TLS over conn, to host unless config names another; nil is the
// default. Where it does not come about, conn is closed.
func handshake(ctx context.Context, conn net.Conn, config *tls.Config, host string) (net.Conn, error) {
	if config = config.Clone(); config == nil {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if config.ServerName == "" {
		config.ServerName = host
	}
	config.NextProtos = []string{"http/1.1"}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}

// dialer connects to an address of Resolve where there is one.
func (c *PublishConfig) dialer() func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if addr, ok := c.Resolve[strings.ToLower(address)]; ok {
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			address = net.JoinHostPort(addr.String(), port)
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
}

// unreachable explains why there is no connection.
func (s *PublishSender) unreachable(err error) error {
	advice := adviseDial(err)
	if advice == "" {
		advice = "see that the server runs there"
	}
	return &awayError{fmt.Errorf("msggen: cannot publish to %s: %w; %s", s.template.shown, err, advice)}
}

// adviseDial returns what to do about a connection that did not come about, or
// "" where no more is known.
func adviseDial(err error) string {
	name, unknownName := errors.AsType[*net.DNSError](err)
	switch {
	case neterr.IsRefused(err):
		return "nothing listens there: start the server, or name the address of one that runs"
	case neterr.IsAddrNotAvail(err):
		return "this machine has no local port left for that address: use fewer connections, or have the server keep them open"
	case neterr.IsTooManyFiles(err):
		return "this process may open no more files: raise the limit with `ulimit -n`, or use fewer connections"
	case unknownName && name.IsNotFound:
		return "check the name of the host"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return "the address did not respond: check it, and whether a firewall drops what goes there"
	case neterr.IsUnreachable(err):
		return "there is no route to that address, or its host is down: see whether it is right, and `ip route get`"
	case neterr.IsForbidden(err):
		return "a route or a firewall rule of this machine forbids connections to that address: see `ip route get` and the rules for output"
	}
	return ""
}

// insecure explains why TLS did not come about on a connection that did. What is
// wrong with a certificate or a protocol will be so later.
func (s *PublishSender) insecure(err error) error {
	shown := s.template.shown
	if fault := tlsclient.Explain(err, "https"); fault != nil {
		return s.untrusted(fault)
	}
	advice := "it accepted the connection: see that it speaks TLS there"
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		advice = fmt.Sprintf("it accepted the connection, but did not take part in the TLS handshake within %v", s.config.AnswerTimeout)
	}
	return &awayError{fmt.Errorf("msggen: cannot publish to %s: %w; %s", shown, err, advice)}
}

// untrusted is the end of a run over a fault that no later connection will be without.
func (s *PublishSender) untrusted(fault *tlsclient.Fault) error {
	return fmt.Errorf("msggen: cannot publish to %s: %w", s.template.shown, fault)
}

// awayError is an error that is an ErrAway too, without saying so again.
type awayError struct{ error }

func (e *awayError) Unwrap() []error { return []error{ErrAway, e.error} }
