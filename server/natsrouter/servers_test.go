//go:build !nonats

package natsrouter

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// startNATS starts a NATS server of the tests' own on a port that was free.
func startNATS(t *testing.T, change func(*server.Options)) *server.Server {
	t.Helper()
	options := &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true}
	if change != nil {
		change(options)
	}
	s, err := server.NewServer(options)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the NATS server does not come up")
	}
	return s
}

func TestConnect(t *testing.T) {
	closed := startNATS(t, func(o *server.Options) { o.Username, o.Password = "comet", "secret" })
	for _, c := range []struct {
		credentials string
		wrong       string
	}{
		{"comet:secret\n", ""},
		{"comet:guess", "does not let us in"},
		{"", "does not let us in"},
		{"sometoken", "does not let us in"},
	} {
		conn, err := Servers{URLs: []string{closed.ClientURL()}, Credentials: c.credentials}.Connect(t.Context())
		if err == nil {
			conn.Close()
		}
		if (err == nil) != (c.wrong == "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("with credentials %q: error %v, want %q", c.credentials, err, c.wrong)
		}
	}
}

func TestConnectToNobody(t *testing.T) {
	gone := startNATS(t, nil)
	url := gone.ClientURL()
	gone.Shutdown()
	gone.WaitForShutdown()
	_, err := Servers{URLs: []string{url}}.Connect(t.Context())
	if err == nil || !strings.Contains(err.Error(), "comet router") {
		t.Errorf("error %v, want one that names the command that starts a router", err)
	}
}
