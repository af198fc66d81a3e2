//go:build !nonats

package broker

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"unicode"

	"github.com/nats-io/nats-server/v2/server"

	"example.org/comet/server/natsrouter/natstest"
)

func TestAddressInUse(t *testing.T) {
	other := natstest.Start(t, func(o *server.Options) { o.ServerName = "theirs" })
	locked := natstest.Start(t, func(o *server.Options) { o.ServerName, o.Authorization = "locked", "token" })
	for _, c := range []struct {
		name string
		cfg  Config
		want []string
	}{
		{"a NATS server", Config{Listen: other.Addr().String()}, []string{
			"another NATS server (nats-server " + server.VERSION + ", name theirs) listens on " + other.Addr().String(),
			"`comet serve --router nats://" + other.Addr().String() + "`", "another --listen",
		}},
		{"a NATS server with credentials", Config{Listen: locked.Addr().String()}, []string{"name locked, which wants credentials"}},
		{"somebody else", Config{Listen: listenAndSay(t, "SSH-2.0-OpenSSH_9.2p1\r\n")}, []string{"cannot open the router on", "another program listens there", "another --listen"}},
		{"somebody silent", Config{Listen: listenAndSay(t, "")}, []string{"another program listens there"}},
		{"cluster", Config{ClusterListen: other.Addr().String()}, []string{"cannot open the cluster listener", "another --cluster-listen"}},
		{"admin", Config{Admin: other.Addr().String()}, []string{"cannot open the admin listener", "another --admin"}},
		{"admin and the router's", Config{Listen: other.Addr().String(), Admin: locked.Addr().String()}, []string{"another NATS server", "admin listener"}},
		{"no such address", Config{Listen: "192.0.2.1:4222", Credentials: "t"}, []string{"this machine has no such address"}},
	} {
		if c.cfg.Listen == "" {
			c.cfg.Listen = "127.0.0.1:0"
		}
		if c.cfg.Admin == "" {
			c.cfg.Admin = "127.0.0.1:0"
		}
		r, err := New(c.cfg)
		if err == nil {
			r.Close()
			t.Errorf("%s: no error", c.name)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not say %q", c.name, err, want)
			}
		}
	}
}

// listenAndSay listens and says something to whoever comes.
func listenAndSay(t *testing.T, text string) (address string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			fmt.Fprint(conn, text)
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		<-ended
	})
	return ln.Addr().String()
}

func TestListenError(t *testing.T) {
	err := Config{}.listenError("router", "--listen", "127.0.0.1:80", &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", os.ErrPermission)})
	if !errors.Is(err, os.ErrPermission) || !strings.Contains(err.Error(), "below 1024") {
		t.Error(err)
	}
}

// FuzzParseInfo: whoever holds the address may say anything.
func FuzzParseInfo(f *testing.F) {
	f.Add([]byte(`INFO {"server_id":"A","server_name":"n","version":"2.9.10","auth_required":true}` + "\r\n"))
	f.Add([]byte("INFO \r\n"))
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n"))
	f.Add([]byte("INFO {\"server_id\":\"A\",\"server_name\":\"\x1b[2J\",\"version\":\"\\n\"}"))
	f.Fuzz(func(t *testing.T, line []byte) {
		info, ok := parseInfo(line)
		if ok && (info.ID == "" || !strings.HasPrefix(string(line), "INFO ")) {
			t.Errorf("%q is taken for a NATS server", line)
		}
		shown := printable(info.Name)
		if strings.ContainsFunc(shown, unicode.IsControl) || len([]rune(shown)) > 81 {
			t.Errorf("%q is shown as %q", info.Name, shown)
		}
	})
}
