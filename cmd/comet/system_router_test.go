//go:build system

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// routerAt is where a router said that it is.
type routerAt struct{ URL, Addr, Admin, Cluster, Route string }

func startRouter(t *testing.T, args ...string) (cmd *exec.Cmd, at routerAt) {
	t.Helper()
	cmd, out := background(t, "comet", append([]string{"router", "--json", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, args...)...)
	line := out.await(t, `\{"type":"listening".*\}`)
	if err := json.Unmarshal([]byte(line), &at); err != nil {
		t.Fatal(err)
	}
	return cmd, at
}

// askAdmin asks an admin listener.
func askAdmin(t *testing.T, url string) (code int, body string) {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func (at routerAt) routers(t *testing.T) []string {
	t.Helper()
	var stats struct{ Routers []string }
	_, body := askAdmin(t, "http://"+at.Admin+"/stats")
	if err := json.Unmarshal([]byte(body), &stats); err != nil {
		t.Fatal(err)
	}
	return stats.Routers
}

// TestSystemRouterAddressInUse: the NATS server of the distribution holds the
// address.
func TestSystemRouterAddressInUse(t *testing.T) {
	nats := need(t, "nats-server")
	addr, err := freeAddr()
	if err != nil {
		t.Fatal(err)
	}
	host, port, _ := strings.Cut(addr, ":")
	_, out := background(t, nats, "-a", host, "-p", port, "--name", "theirs")
	out.await(t, "Server is ready")
	version := strings.TrimPrefix(strings.TrimSpace(run(t, nats, "--version")), "nats-server: v")
	text, err := exec.Command("comet", "router", "--listen", addr, "--admin", "127.0.0.1:0").CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 2 {
		t.Errorf("exit: %v, want code 2", err)
	}
	want := fmt.Sprintf("another NATS server (nats-server %s, name theirs) listens on %s: use it as it is, with `comet serve --router nats://%s`; or choose another --listen", version, addr, addr)
	if !strings.Contains(string(text), want) {
		t.Errorf("%s\nwant %s", text, want)
	}
}

// TestSystemRouterCluster: two of ours and one of the distribution, which is
// another version, in one cluster. Messages pass between all of them, before
// and after one of ours is killed.
func TestSystemRouterCluster(t *testing.T) {
	program := need(t, "nats-server")
	folder := t.TempDir()
	credentials := filepath.Join(folder, "credentials")
	if err := os.WriteFile(credentials, []byte("comet:secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	first, a := startRouter(t, "--cluster-listen", "127.0.0.1:0", "--credentials", credentials)
	_, b := startRouter(t, "--cluster-listen", "127.0.0.1:0", "--credentials", credentials, "--routes", a.Route)
	theirs, err := freeAddr()
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(folder, "nats.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, `
server_name: theirs
listen: %s
authorization { user: comet, password: secret }
cluster {
  name: comet
  listen: 127.0.0.1:-1
  authorization { user: comet, password: secret }
  routes: [ "nats://comet:secret@%s" ]
}
`, theirs, a.Cluster), 0o600); err != nil {
		t.Fatal(err)
	}
	_, out := background(t, program, "-c", config)
	out.await(t, "Server is ready")
	// b hears of theirs from a, and the other way round.
	for _, at := range []routerAt{a, b} {
		eventually(t, "every router knows the others", func() bool {
			known := at.routers(t)
			return len(known) == 2 && slices.Contains(known, "theirs")
		})
		if code, body := askAdmin(t, "http://"+at.Admin+"/readyz"); code != 200 {
			t.Errorf("/readyz: %d %s", code, body)
		}
	}

	dial := func(url string) *nats.Conn {
		conn, err := nats.Connect(url, nats.UserInfo("comet", "secret"), nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(conn.Close)
		return conn
	}
	node, sender := dial("nats://"+theirs), dial(b.URL)
	mobile := dial(a.URL) // it loses its router
	passes := func(what string, from, to *nats.Conn, subject string) {
		t.Helper()
		got, err := to.SubscribeSync(subject)
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, what, func() bool {
			if err := from.Publish(subject, []byte("Hello World")); err != nil {
				return false // on its way to another router
			}
			_, err := got.NextMsg(100 * time.Millisecond)
			return err == nil
		})
	}
	passes("ours to theirs", sender, node, "comet.msg.0.1")
	passes("theirs to ours", node, sender, "comet.msg.0.2")
	passes("to the one that is killed", sender, mobile, "comet.msg.0.3")
	if err := node.Publish("comet.node.n", []byte(`{"name":"n","connections":3,"logins":4,"ready":true}`)); err != nil {
		t.Fatal(err)
	}
	for _, at := range []routerAt{a, b} {
		eventually(t, "the report of a node at theirs", func() bool {
			_, body := askAdmin(t, "http://"+at.Admin+"/metrics")
			return strings.Contains(body, `comet_node_logins{node="n"} 4`)
		})
	}

	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	passes("ours to theirs after the kill", sender, node, "comet.msg.0.4")
	passes("to the client that lost its router", sender, mobile, "comet.msg.0.5")
	t.Logf("a client of the killed router had messages again after %v", time.Since(killed).Round(time.Millisecond))
	eventually(t, "b has noticed", func() bool { return slices.Equal(b.routers(t), []string{"theirs"}) })
	if code, body := askAdmin(t, "http://"+b.Admin+"/readyz"); code != 200 || !strings.Contains(body, "0 of the 1") {
		t.Errorf("/readyz: %d %s", code, body)
	}
}
