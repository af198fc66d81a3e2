//go:build !nonats

package natsrouter

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"example.org/comet/server"
	"example.org/comet/server/natsrouter/natstest"
	"example.org/comet/server/router"
)

// fullInbox is an owner of connections that is too far behind.
type fullInbox struct{}

func (fullInbox) Deliver(router.Conn, []byte) bool { return false }
func (fullInbox) Wake()                            {}
func (fullInbox) Wait(context.Context) error       { return nil }

// TestFeedAccount: each message that a node receives is counted once, by what
// became of it, whatever the interest. One that was dropped because its
// connection's owner is behind had an addressee, so nobody is told otherwise;
// what comes on any other subject is not a message.
func TestFeedAccount(t *testing.T) {
	for _, interest := range []Interest{Exact, Block, All} {
		t.Run(string(interest), func(t *testing.T) {
			s := natstest.Start(t, nil)
			n, err := NewNode(t.Context(), NodeConfig{Servers: at(s), Interest: interest})
			if err != nil {
				t.Fatal(err)
			}
			defer n.Close()
			local := new(router.Local)
			got := new(recorder)
			reads, behind := local.Join(got), local.Join(fullInbox{})
			reads.Login(router.Conn{Slot: 1}, 1)  // one connection
			behind.Login(router.Conn{Slot: 1}, 2) // one that is behind
			reads.Login(router.Conn{Slot: 2}, 3)  // one of each
			behind.Login(router.Conn{Slot: 2}, 3)
			ticket := n.Want([]int64{1, 2, 3, 4}) // nobody is logged in as 4 any more
			n.Start(router.Home{Local: local, Settled: func() {}, Counts: func() router.Counts { return router.Counts{} }})
			waitFor(t, "the subscriptions", func() bool { return n.Settled() >= ticket })
			conn := dialNATS(t, s)
			odd := []string{"comet.msg.0.01", "comet.msg.0.+1", "comet.msg.0.*", "comet.msg.1.1", "comet.msg.00.1", "comet.msg.*.1", "comet.msg.*.*", "comet.msg.x.1", "comet.msg.0.9223372036854775808"}
			for _, subject := range odd {
				if err := conn.Publish(subject, []byte("odd")); err != nil {
					t.Fatal(err)
				}
			}
			for id, answer := range map[int64]string{1: "1", 3: "1", 4: "0"} {
				m, err := conn.Request(string(appendSubject(nil, DefaultSubjectPrefix, id)), []byte("m"), patience)
				if err != nil || string(m.Data) != answer {
					t.Errorf("id %d: answer %v, %v, want %s", id, m, err, answer)
				}
			}
			if m, err := conn.Request("comet.msg.0.2", []byte("m"), 50*time.Millisecond); err == nil {
				t.Errorf("the node claims that its dropped message reached %s connections", m.Data)
			}
			waitFor(t, "all to be received", func() bool { return n.Stats().Received == 4 })
			if st := n.Stats(); st.Routed != 2 || st.Unaddressed != 1 {
				t.Errorf("routed %d, unaddressed %d of 4, want 2 and 1: the other was dropped", st.Routed, st.Unaddressed)
			}
		})
	}
}

// TestFinal: one rule for nodes and senders.
func TestFinal(t *testing.T) {
	for _, c := range []struct {
		err   error
		final bool
	}{
		{nats.ErrAuthorization, true},
		{fmt.Errorf("wrapped: %w", nats.ErrAuthExpired), true},
		{nats.ErrAuthRevoked, true},
		{nats.ErrAccountAuthExpired, true},
		{nats.ErrSecureConnWanted, true},
		{nats.ErrSecureConnRequired, true},
		{nats.ErrNoInfoReceived, true},
		{&tls.CertificateVerificationError{Err: errors.New("unknown authority")}, true},
		{&net.OpError{Op: "remote error", Err: errors.New("tls: certificate required")}, true},
		{&net.OpError{Op: "dial", Err: errors.New("connection refused")}, false},
		{os.ErrDeadlineExceeded, false},
		{nats.ErrNoServers, false},
		{nats.ErrTimeout, false},
		{nats.ErrMaxConnectionsExceeded, false},
		{io.EOF, false},
	} {
		if got := final(c.err); got != c.final {
			t.Errorf("%v is final: %v", c.err, got)
		}
	}
}

// TestUntrustedAtStart: a router whose certificate is not trusted is an error at
// once, for a node as for a sender.
func TestUntrustedAtStart(t *testing.T) {
	web := httptest.NewTLSServer(nil) // for its certificate
	web.Close()
	s := natstest.Start(t, func(o *natsserver.Options) {
		o.TLSConfig = &tls.Config{Certificates: web.TLS.Certificates, MinVersion: tls.VersionTLS12}
		o.TLSTimeout = 10
	})
	servers := Servers{URLs: []string{"tls://" + s.Addr().String()}}
	if n, err := NewNode(t.Context(), NodeConfig{Servers: servers}); err == nil {
		n.Close()
		t.Error("a node trusts it")
	}
	sender, err := NewSender(servers)
	if err != nil {
		t.Fatal(err)
	}
	if err := sender.Open(t.Context()); err == nil || errors.Is(err, router.ErrAway) {
		t.Errorf("error %v of a sender, want one that is final", err)
	}
}

// TestSendToRefused: nobody claims that no connection is there when the router
// lets the node have no subscription for it.
func TestSendToRefused(t *testing.T) {
	s := natstest.Start(t, func(o *natsserver.Options) {
		o.Users = []*natsserver.User{
			{Username: "node", Password: "p", Permissions: &natsserver.Permissions{Subscribe: &natsserver.SubjectPermission{Deny: []string{"comet.msg.0.7"}}}},
			{Username: "sender", Password: "p"},
		}
	})
	node, sender := at(s), at(s)
	node.Credentials, sender.Credentials = "node:p", "sender:p"
	w := startWeb(t, NodeConfig{Servers: node, Name: "n"}, server.Config{})
	w.stream("1")
	w.waitReady(true)
	for _, c := range []struct {
		id     int64
		stream bool // whether somebody logs in as it first
		want   Reach
	}{
		{1, false, Reach{Known: true, Connections: 1}},
		{8, false, Reach{Known: true}},
		{7, true, Reach{Unready: "n"}},
		{8, false, Reach{Unready: "n"}}, // the broker does not say which it refused
		{1, false, Reach{Known: true, Connections: 1}},
	} {
		if c.stream {
			w.stream(fmt.Sprint(c.id))
			w.waitReady(false)
		}
		got, err := Publish(t.Context(), sender, c.id, []byte("m"))
		if err != nil || got != c.want {
			t.Errorf("id %d: %+v, %v, want %+v", c.id, got, err, c.want)
		}
	}
}

// TestInterestText: the words of --interest, both ways.
func TestInterestText(t *testing.T) {
	for _, word := range []Interest{Exact, Block, All} {
		var got Interest
		text, err := word.MarshalText()
		if err = errors.Join(err, got.UnmarshalText(text)); err != nil || got != word {
			t.Errorf("%q becomes %q and %q: %v", word, text, got, err)
		}
	}
	for _, text := range []string{"", "Exact", "blocks", "exact "} {
		if err := new(Interest).UnmarshalText([]byte(text)); err == nil || !strings.Contains(err.Error(), "use exact, block or all") {
			t.Errorf("%q: error %v", text, err)
		}
	}
}

// TestLimitOfPublish: the limit of a message is that of the other intakes, and
// said in the same words.
func TestLimitOfPublish(t *testing.T) {
	s := natstest.Start(t, func(o *natsserver.Options) { o.MaxPayload = 2 << 20 })
	sender, err := NewSender(at(s))
	if err != nil {
		t.Fatal(err)
	}
	if err := sender.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	for more, wrong := range []error{nil, router.ErrTooLong} {
		message := make([]byte, router.MaxMessage+more)
		if _, err := Publish(t.Context(), at(s), 1, message); !errors.Is(err, wrong) {
			t.Errorf("Publish of %d bytes: %v", len(message), err)
		}
		if err := sender.Send(1, message); !errors.Is(err, wrong) {
			t.Errorf("Send of %d bytes: %v", len(message), err)
		}
	}
	if err := sender.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := sender.Receipt(); r.Sent != 1 || r.Refused != 1 {
		t.Errorf("receipt %+v, want 1 sent and 1 refused", r)
	}
}
