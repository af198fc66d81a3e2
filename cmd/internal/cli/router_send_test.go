package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"example.org/comet/server/natsrouter/natstest"
)

// natsServer starts a NATS server, for one user if there is a name, with a witness who
// counts the messages, and answers those that want an answer as a node with two
// connections does.
func natsServer(t *testing.T, username, password string) (url string, arrived *atomic.Uint64) {
	t.Helper()
	s := natstest.Start(t, func(o *server.Options) { o.Username, o.Password = username, password })
	conn, err := nats.Connect(s.ClientURL(), nats.UserInfo(username, password))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	arrived = new(atomic.Uint64)
	_, err = conn.Subscribe("comet.msg.0.*", func(m *nats.Msg) {
		arrived.Add(1)
		if m.Reply != "" {
			_ = m.Respond([]byte("2"))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
	return s.ClientURL(), arrived
}

func awaitCount(t *testing.T, arrived *atomic.Uint64, want uint64) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); arrived.Load() < want && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if got := arrived.Load(); got != want {
		t.Errorf("%d messages arrived, want %d", got, want)
	}
}

func TestSendThroughRouter(t *testing.T) {
	url, arrived := natsServer(t, "", "")
	for _, test := range []struct{ args, says string }{
		{"123 hi", "reached 2 connections\n"},
		{"5000 hi", "reached nobody: no connection is logged in as 5000\n"},
		{"123 hi --json", `{"type":"result","reached":2}` + "\n"},
		{"5000 hi --json", `{"type":"result","reached":0}` + "\n"},
	} {
		out, code, err := execute(t.Context(), nil, append(strings.Fields("send "+test.args), "--router", url)...)
		if out != test.says || code != exitDone {
			t.Errorf("%s: it printed %q and exited %d (%v), want %q", test.args, out, code, err, test.says)
		}
	}
	awaitCount(t, arrived, 2)
}

func TestSendToForeignSubscriber(t *testing.T) {
	url, _ := natsServer(t, "", "")
	conn, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.SubscribeSync("foreign.>"); err != nil {
		t.Fatal(err)
	}
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ args, says string }{
		{"123 hi", "published; no node said whom it reached\n"},
		{"123 hi --json", `{"type":"result","reached":null}` + "\n"},
	} {
		out, code, err := execute(t.Context(), nil, append(strings.Fields("send "+test.args), "--router", url, "--subject-prefix", "foreign")...)
		if out != test.says || code != exitDone {
			t.Errorf("%s: it printed %q and exited %d (%v), want %q", test.args, out, code, err, test.says)
		}
	}
}

// TestMsggenThroughRouter: what was sent is what arrived, paced and flat out.
func TestMsggenThroughRouter(t *testing.T) {
	url, arrived := natsServer(t, "", "")
	out, code, err := execute(t.Context(), nil, "msggen",
		"--router", url, "--rate", "5k", "--count", "500", "--max-id", "1000", "--json")
	if code != exitDone {
		t.Fatalf("it exited %d: %v", code, err)
	}
	last := out[strings.LastIndexByte(strings.TrimSpace(out), '\n')+1:]
	var result map[string]any
	if err := json.Unmarshal([]byte(last), &result); err != nil {
		t.Fatalf("%q: %v", last, err)
	}
	reached, there := result["reached"]
	if result["sent"] != 500.0 || !there || reached != nil || result["unaddressed"] != nil || result["late_ms"] == nil {
		t.Errorf("it printed %s, want 500 sent, and null for whom they reached", last)
	}
	awaitCount(t, arrived, 500)

	out, code, err = execute(t.Context(), nil, "msggen", "--router", url, "--rate", "max", "--count", "20k", "--max-id", "1000")
	if code != exitDone || !strings.Contains(out, "sent 20000\nseed ") || strings.Contains(out, "reached") {
		t.Errorf("it printed %q and exited %d: %v", out, code, err)
	}
	awaitCount(t, arrived, 20_500)
}

// TestMsggenWindowThroughRouter keeps to the window between what was sent and
// what is said to have been delivered, as the router says nothing of that.
func TestMsggenWindowThroughRouter(t *testing.T) {
	url, arrived := natsServer(t, "", "")
	stdin, tell := io.Pipe()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	go func() {
		defer tell.Close()
		for delivered := uint64(0); delivered < 5000 && ctx.Err() == nil; time.Sleep(time.Millisecond) {
			now := arrived.Load()
			if now > delivered+100 {
				t.Errorf("%d messages are on their way, above the window of 100", now-delivered)
			}
			delivered = now
			fmt.Fprintln(tell, delivered)
		}
	}()
	out, code, err := execute(ctx, stdin, "msggen", "--router", url, "--rate", "max", "--max-id", "1000", "--window", "100", "--feedback")
	if code != exitDone || arrived.Load() < 5000 || strings.Contains(out, "never seen delivered") {
		t.Errorf("with %d messages it printed %q and exited %d: %v", arrived.Load(), out, code, err)
	}
}

func TestSendingThroughRouterFails(t *testing.T) {
	url, arrived := natsServer(t, "comet", "secret")
	wrong := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(wrong, []byte("comet:guess\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const nobody = "nats://127.0.0.1:1"
	for _, test := range []struct {
		args, says string
		code       int
	}{
		{"--router " + nobody, "comet router", exitFailed},
		{"--router " + url, "check the credentials", exitFailed},
		{"--router " + url + " --router-credentials " + wrong, "check the credentials", exitFailed},
		{"--router " + url + " --to http://127.0.0.1:1", "--to is for sending without them", exitUsage},
		{"--router " + url + " --admin-token-file " + wrong, "--admin-token-file is for sending without them", exitUsage},
		{"--router 127.0.0.1:4222", "write nats://", exitUsage},
		{"--router=", "names nothing", exitUsage},
		{"--router nats://me:secret@127.0.0.1", "do not belong", exitUsage},
		{"--router-credentials " + wrong, "which is not given", exitUsage},
		{"--router " + url + " --router-credentials nowhere", "nowhere", exitUsage},
	} {
		for _, name := range []string{"send", "msggen"} {
			args := slices.Concat(map[string][]string{"send": {"send", "1", "hi"}, "msggen": {"msggen", "--count", "1"}}[name], strings.Fields(test.args))
			out, code, err := execute(t.Context(), nil, args...)
			if code != test.code || out != "" || err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%s %s: it printed %q and exited %d: %v, want %d and %q", name, test.args, out, code, err, test.code, test.says)
			}
		}
	}
	_, code, err := execute(t.Context(), nil, "msggen", "--router", url, "--publish", "http://127.0.0.1:1/{id}")
	if code != exitUsage || !strings.Contains(err.Error(), "--publish") {
		t.Errorf("with --publish as well it exited %d: %v", code, err)
	}
	if n := arrived.Load(); n != 0 {
		t.Errorf("%d messages were sent", n)
	}
}
