//go:build !nonats

package broker

import (
	"log/slog"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"example.org/comet/server/natsrouter"
	"example.org/comet/server/natsrouter/natstest"
)

// runCluster runs routers that know of the first only.
func runCluster(t *testing.T, n int, change func(*Config)) []running {
	t.Helper()
	var routers []running
	for i := range n {
		cfg := Config{ClusterListen: "127.0.0.1:0", Name: string(rune('a' + i)), DrainTimeout: time.Second}
		if i > 0 {
			cfg.Routes = []string{routers[0].RouteURL()}
		}
		if change != nil {
			change(&cfg)
		}
		routers = append(routers, runRouter(t, cfg))
	}
	for _, r := range routers {
		untilTrue(t, "every router knows all others", func() bool { return len(r.peers(false)) == n-1 })
	}
	return routers
}

func receiveText(t *testing.T, s *nats.Subscription, want string) {
	t.Helper()
	if m, err := s.NextMsg(15 * time.Second); err != nil || string(m.Data) != want {
		t.Fatalf("got %v, %v; want %q", m, err, want)
	}
}

func TestCluster(t *testing.T) {
	for _, credentials := range []string{"", "user:pass:word", "atoken"} {
		t.Run("credentials="+credentials, func(t *testing.T) {
			routers := runCluster(t, 3, func(c *Config) { c.Credentials = credentials })
			a, b, c := routers[0], routers[1], routers[2]
			if names := a.Stats().Routers; !slices.Equal(names, []string{"b", "c"}) {
				t.Errorf("a knows %q", names)
			}
			for _, r := range routers {
				if code, body := r.ask(t, "GET", "/readyz", ""); code != 200 || body != "ready\n" {
					t.Errorf("/readyz: %d %s", code, body)
				}
			}
			// A message from one to another, and a report to all of them.
			node := c.dial(t, "n")
			got, err := node.SubscribeSync("comet.msg.0.1")
			if err != nil {
				t.Fatal(err)
			}
			sender := b.dial(t, "sender")
			untilTrue(t, "the message passes", func() bool {
				if err := sender.Publish("comet.msg.0.1", []byte("Hello")); err != nil {
					t.Fatal(err)
				}
				m, err := got.NextMsg(100 * time.Millisecond)
				return err == nil && string(m.Data) == "Hello"
			})
			sendReport(t, node, NodeRow{Name: "n", Logins: 1})
			for _, r := range routers {
				untilTrue(t, "the node's report", func() bool {
					sendReport(t, node, NodeRow{Name: "n", Logins: 1})
					return r.Stats().Logins == 1
				})
			}
			if at := a.Stats().Nodes[0].Address; at != "" {
				t.Errorf("a says that the node is at %s, but it is at c", at)
			}
			// The one that all were told of ends: they have each other.
			if err := a.stop(); err != nil {
				t.Error(err)
			}
			untilTrue(t, "b has noticed", func() bool { return len(b.peers(false)) == 1 })
			code, body := b.ask(t, "GET", "/readyz", "")
			if code != 200 || !strings.Contains(body, "0 of the 1 routers asked for") {
				t.Errorf("/readyz of b: %d %s", code, body)
			}
			untilTrue(t, "the message passes", func() bool {
				if err := sender.Publish("comet.msg.0.1", []byte("again")); err != nil {
					t.Fatal(err)
				}
				m, err := got.NextMsg(100 * time.Millisecond)
				return err == nil && string(m.Data) == "again"
			})
		})
	}
}

// TestClusterAddress: routers that listen on one address of several tell each
// other of that, though their own routes come from another.
func TestClusterAddress(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has more loopback addresses than one")
	}
	addresses := []string{"127.0.0.2:0", "127.0.0.3:0", "127.0.0.4:0"}
	runCluster(t, len(addresses), func(c *Config) {
		c.ClusterListen, addresses = addresses[0], addresses[1:]
	})
}

// TestClusterAlone: a router that was asked to join another is not ready until
// it has; its own address among the routes is nobody to wait for.
func TestClusterAlone(t *testing.T) {
	ln, err := net.Listen("tcp", net.JoinHostPort(natstest.OwnHost(), "0"))
	if err != nil {
		t.Fatal(err)
	}
	later := ln.Addr().String()
	ln.Close()
	a := runRouter(t, Config{ClusterListen: "127.0.0.1:0", Routes: []string{"nats://" + later}})
	code, body := a.ask(t, "GET", "/readyz", "")
	if code != 503 || !strings.Contains(body, "nats://"+later) || !strings.Contains(body, "--cluster-listen") {
		t.Errorf("/readyz: %d %s", code, body)
	}
	b := runRouter(t, Config{ClusterListen: later, Routes: []string{"nats://" + later, a.RouteURL()}})
	for _, r := range []running{a, b} {
		untilTrue(t, "both are ready", func() bool {
			code, body := r.ask(t, "GET", "/readyz", "")
			return code == 200 && body == "ready\n"
		})
	}
}

// TestClusterWrongCredentials: a router with other credentials stays outside,
// and both say so.
func TestClusterWrongCredentials(t *testing.T) {
	var log logText
	a := runRouter(t, Config{ClusterListen: "127.0.0.1:0", Credentials: "user:right", Logger: slog.New(slog.NewTextHandler(&log, nil))})
	b := runRouter(t, Config{ClusterListen: "127.0.0.1:0", Credentials: "user:wrong", Routes: []string{a.RouteURL()}})
	untilTrue(t, "a has said so", func() bool { return strings.Contains(log.String(), "was not let in") })
	// Not even between the greeting of a and its refusal, which repeat.
	for end := time.Now().Add(1500 * time.Millisecond); time.Now().Before(end); {
		if code, body := b.ask(t, "GET", "/readyz", ""); code != 503 || !strings.Contains(body, "same credentials") {
			t.Fatalf("/readyz: %d %s", code, body)
		}
	}
	if names := a.Stats().Routers; len(names) > 0 {
		t.Errorf("a has let in %q", names)
	}
}

// TestClusterDrain: when a router ends, its clients are told, and go to
// another, of which they were given no address.
func TestClusterDrain(t *testing.T) {
	routers := runCluster(t, 2, nil)
	a, b := routers[0], routers[1]
	told := make(chan struct{})
	moved := make(chan struct{}, 1)
	node := dialServers(t, natsrouter.Servers{URLs: []string{a.URL()}},
		nats.LameDuckModeHandler(func(*nats.Conn) { close(told) }),
		nats.ReconnectHandler(func(*nats.Conn) { moved <- struct{}{} }))
	got, err := node.SubscribeSync("comet.msg.0.1")
	if err != nil {
		t.Fatal(err)
	}
	untilTrue(t, "the client has heard of b", func() bool { return slices.Contains(node.DiscoveredServers(), b.URL()) })
	if err := a.stop(); err != nil {
		t.Error(err)
	}
	<-told
	<-moved
	if at := node.ConnectedUrl(); at != b.URL() {
		t.Errorf("the client is at %s, want %s", at, b.URL())
	}
	if err := node.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := b.dial(t, "sender").Publish("comet.msg.0.1", []byte("Hello")); err != nil {
		t.Fatal(err)
	}
	receiveText(t, got, "Hello")
}
