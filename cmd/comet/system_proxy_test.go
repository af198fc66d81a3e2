//go:build system

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// proxySetup is a proxy as people put it in front of a server.
type proxySetup struct {
	name    string
	program string
	args    []string // FOLDER and CONFIG stand for what they say
	config  string   // LISTEN, SERVER and FOLDER likewise
}

const nginxStart = `daemon off; pid FOLDER/pid; error_log FOLDER/error.log; worker_processes 1; user root;
events { worker_connections 256; }
http { access_log off; client_body_temp_path FOLDER; proxy_temp_path FOLDER; fastcgi_temp_path FOLDER; uwsgi_temp_path FOLDER; scgi_temp_path FOLDER;
`

const nginxWS = ` location /ws/ { proxy_pass http://SERVER; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"; }
`

var proxySetups = []proxySetup{
	{"nginx", "nginx", []string{"-p", "FOLDER", "-c", "CONFIG"}, nginxStart + `server { listen LISTEN;
 location / { proxy_pass http://SERVER; }
` + nginxWS + `} }`},
	{"nginx with gzip and a pool", "nginx", []string{"-p", "FOLDER", "-c", "CONFIG"}, nginxStart + `gzip on; gzip_types *; gzip_proxied any; gzip_min_length 1;
upstream comet { server SERVER; keepalive 16; }
server { listen LISTEN;
 location / { proxy_pass http://comet; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; proxy_buffers 8 64k; }
` + nginxWS + `} }`},
	{"HAProxy", "haproxy", []string{"-f", "CONFIG"}, `defaults
 mode http
 timeout connect 5s
 timeout client 60s
 timeout server 60s
 compression algo gzip
 compression type text/html text/plain text/event-stream
frontend in
 bind LISTEN
 default_backend comet
backend comet
 server comet SERVER
`},
	{"Caddy", "caddy", []string{"run", "--config", "CONFIG", "--adapter", "caddyfile"}, `{
	admin off
	auto_https off
	storage file_system FOLDER
}
http://LISTEN {
	reverse_proxy SERVER
}
`},
	// Not here: Caddy with `encode`, which holds a head back until the first bytes
	// of the body have come, whatever the head says.
}

// start starts the proxy at addr in front of server.
func (p *proxySetup) start(t *testing.T, addr, server string) {
	t.Helper()
	program := need(t, p.program)
	folder := t.TempDir()
	config := filepath.Join(folder, "config")
	fill := strings.NewReplacer("LISTEN", addr, "SERVER", server, "FOLDER", folder, "CONFIG", config).Replace
	if err := os.WriteFile(config, []byte(fill(p.config)), 0o644); err != nil {
		t.Fatal(err)
	}
	args := make([]string, len(p.args))
	for i, arg := range p.args {
		args[i] = fill(arg)
	}
	background(t, program, args...)
	awaitAddr(t, addr)
}

// proxied are messages as they go through a proxy: below and above what its
// buffers take.
var proxied = []string{"first", strings.Repeat("several KB ", 700), "small again", strings.Repeat("m", 100_000), "last"}

// TestSystemNginxProxy: behind a proxy as most set it up, the head of each kind
// of stream comes before its first message, and each message whole and before
// the next is sent.
func TestSystemNginxProxy(t *testing.T) {
	for i, p := range proxySetups {
		t.Run(p.name, func(t *testing.T) {
			for j, engine := range []string{"epoll", "goroutine"} {
				t.Run("engine="+engine, func(t *testing.T) {
					_, server, admin := startServer(t, "--engine", engine)
					addr := fmt.Sprintf("127.28.%d.1:8028", 1+2*i+j)
					p.start(t, addr, server)
					b := behindProxy{t, addr, admin}
					b.stream("/test/", "Recvd msg #%d: '%s'<br/>")
					b.stream("/events/", "id: %d\ndata: %s\n\n")
					b.poll()
					b.webSocket()
				})
			}
		})
	}
}

// behindProxy is a server seen through a proxy at addr.
type behindProxy struct {
	t           *testing.T
	addr, admin string
}

const proxyPatience = 20 * time.Second

// publish sends a message to the only connection.
func (b behindProxy) publish(message string) {
	b.t.Helper()
	resp, err := http.Post("http://"+b.admin+"/send/1", "text/plain", strings.NewReader(message))
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	if answer, _ := io.ReadAll(resp.Body); strings.TrimSpace(string(answer)) != `{"reached":1}` {
		b.t.Fatalf("the message was answered %s", answer)
	}
}

// get asks for a path as a browser does, and returns once the head is there.
func (b behindProxy) get(path string) *http.Response {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), proxyPatience)
	b.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+b.addr+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.t.Fatalf("no head came for %s before the first message: %v", path, err)
	}
	if resp.StatusCode != http.StatusOK {
		b.t.Fatalf("%s is answered %s", path, resp.Status)
	}
	return resp
}

func (b behindProxy) stream(path, form string) {
	b.t.Helper()
	resp := b.get(path + "1")
	defer resp.Body.Close()
	var longest time.Duration
	for i, message := range proxied {
		want := fmt.Sprintf(form, i+1, message)
		got := make([]byte, len(want))
		sent := time.Now()
		b.publish(message)
		if n, err := io.ReadFull(resp.Body, got); err != nil || string(got) != want {
			b.t.Fatalf("%s: message %d came as %.80q (%d bytes), error %v; want %.80q", path, i+1, got[:n], n, err, want)
		}
		longest = max(longest, time.Since(sent))
	}
	if longest > time.Second {
		b.t.Logf("%s: a message took %v: is the machine busy?", path, longest)
	}
	resp.Body.Close()
	eventually(b.t, "the server notices that the client has gone", func() bool {
		if connections(b.t, b.admin) == 0 {
			return true
		}
		// HAProxy notices it with the next message, without option abortonclose.
		if resp, err := http.Post("http://"+b.admin+"/send/1", "text/plain", strings.NewReader("are you there")); err == nil {
			resp.Body.Close()
		}
		return false
	})
}

func (b behindProxy) poll() {
	b.t.Helper()
	for _, message := range proxied {
		answered := make(chan string)
		go func() {
			defer close(answered)
			resp, err := http.Get("http://" + b.addr + "/poll/1")
			if err != nil {
				answered <- err.Error()
				return
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(resp.Body)
			answered <- string(body)
		}()
		eventually(b.t, "the poll is there", func() bool { return connections(b.t, b.admin) == 1 })
		b.publish(message)
		select {
		case got := <-answered:
			if got != message {
				b.t.Errorf("the poll got %.80q, want %.80q", got, message)
			}
		case <-time.After(proxyPatience):
			b.t.Fatalf("the poll did not get %.80q", message)
		}
		<-answered
	}
}

func (b behindProxy) webSocket() {
	b.t.Helper()
	conn, br, shake, err := ws.Dialer{Timeout: proxyPatience, Protocols: []string{"chat", "v2"}}.Dial(b.t.Context(), "ws://"+b.addr+"/ws/1")
	if err != nil {
		b.t.Fatal(err)
	}
	defer conn.Close()
	if shake.Protocol != "chat" {
		b.t.Errorf("the subprotocol is %q, want the first that was offered", shake.Protocol)
	}
	if br == nil {
		br = bufio.NewReader(conn)
	}
	conn.SetDeadline(time.Now().Add(proxyPatience))
	for _, message := range proxied {
		b.publish(message)
		got, err := wsutil.ReadServerText(struct {
			io.Reader
			io.Writer
		}{br, conn})
		if err != nil || string(got) != message {
			b.t.Fatalf("got %.80q, error %v; want %.80q", got, err, message)
		}
	}
}
