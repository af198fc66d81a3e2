package msggen

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// TestResolve: messages go to the address that is given for a name, which stands in
// their Host.
func TestResolve(t *testing.T) {
	hosts := make(chan string, 10)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { hosts <- r.Host }))
	defer srv.Close()
	_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
	at := "No.such.host.invalid:" + port
	sender, err := NewPublishSender(PublishConfig{
		URL: "http://" + at + "/{id}", Connections: 1, Resolve: map[string]netip.Addr{strings.ToLower(at): netip.MustParseAddr("127.0.0.1")},
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Sender: sender, Senders: 1, Count: 3, Interval: time.Millisecond, MaxID: 2}
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if r, err := g.Run(ctx); err != nil || r.Sent != 3 {
		t.Fatalf("%+v, %v", r, err)
	}
	if got := <-hosts; got != at {
		t.Errorf("Host is %q, want %q", got, at)
	}
}
