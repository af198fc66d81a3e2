//go:build !nonats

package natsrouter

import (
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"example.org/comet/server/natsrouter/natstest"
)

func TestConnect(t *testing.T) {
	closed := natstest.Start(t, func(o *server.Options) { o.Username, o.Password = "comet", "secret" })
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
	gone := natstest.Start(t, nil)
	url := gone.ClientURL()
	gone.Shutdown()
	gone.WaitForShutdown()
	_, err := Servers{URLs: []string{url}}.Connect(t.Context())
	if err == nil || !strings.Contains(err.Error(), "comet router") {
		t.Errorf("error %v, want one that names the command that starts a router", err)
	}
}
