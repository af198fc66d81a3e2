//go:build system

// The system tests try comet against programs that are not ours: a browser,
// curl, nginx with nchan, ss and ps. They run with `make system`; what is not
// installed is skipped, and said so.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// need skips a test where a program is missing.
func need(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("%s is not installed", program)
	}
	return path
}

// run runs a program to its end and returns what it printed.
func run(t *testing.T, program string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// inBackground has a channel for each program in the background, which is closed once it
// was waited for: its ProcessState is there a moment after the process has gone.
var inBackground sync.Map

// background starts a program that is ended with the test, and returns it and
// what it prints.
func background(t *testing.T, program string, args ...string) (*exec.Cmd, *output) {
	t.Helper()
	cmd := exec.Command(program, args...)
	out := &output{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waited := make(chan struct{})
	inBackground.Store(cmd, waited)
	go func() {
		cmd.Wait()
		close(waited)
	}()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-waited:
		case <-time.After(10 * time.Second):
			cmd.Process.Kill()
			<-waited
		}
		inBackground.Delete(cmd)
	})
	return cmd, out
}

// startServer starts comet serve with args and returns its two addresses.
func startServer(t *testing.T, args ...string) (cmd *exec.Cmd, addr, admin string) {
	t.Helper()
	cmd, out := background(t, "comet", append([]string{"serve", "--json", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, args...)...)
	line := out.await(t, `\{"type":"listening".*\}`)
	var at struct{ Addr, Admin string }
	if err := json.Unmarshal([]byte(line), &at); err != nil {
		t.Fatal(err)
	}
	return cmd, at.Addr, at.Admin
}

// eventually waits for a condition to hold.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after 60 s still not: %s", what)
		}
	}
}

func TestSystemBrowser(t *testing.T) {
	chromium := need(t, "chromium")
	_, addr, admin := startServer(t)
	page := openPage(t, chromium, "http://"+addr+"/test/123")
	eventually(t, "the browser is connected", func() bool {
		return strings.Contains(run(t, "comet", "send", "--to", "http://"+admin, "123", "Hello World"), "reached 1")
	})
	var text string
	eventually(t, "the message shows while the connection is open", func() bool {
		text = page.evaluate("document.body ? document.body.innerText : ''")
		return strings.Contains(text, "Recvd msg #1: 'Hello World'")
	})
	if state := page.evaluate("document.readyState"); state != "loading" {
		t.Errorf("the page is %q, want it to be still loading: the connection is open", state)
	}
	run(t, "comet", "send", "--to", "http://"+admin, "123", "Why not open another browser window too?")
	eventually(t, "the second message shows", func() bool {
		return strings.Contains(page.evaluate("document.body.innerText"), "Recvd msg #2: 'Why not open another browser window too?'")
	})
	if folder := os.Getenv("COMET_SCREENSHOTS"); folder != "" {
		page.screenshot(filepath.Join(folder, "browser.png"))
	}

	// The other streams, through the browser's own EventSource, WebSocket and fetch.
	page.evaluate(`got = []; es = new EventSource('/events/7'); es.onmessage = e => got.push(e.lastEventId + ' ' + e.data); 0`)
	page.evaluate(`sock = new WebSocket('ws://' + location.host + '/ws/7'); sock.onmessage = e => got.push('ws ' + e.data); 0`)
	page.evaluate(`poll = () => fetch('/poll/7').then(r => r.text()).then(text => { got.push('poll ' + text); poll() }); poll(); 0`)
	eventually(t, "all three are connected", func() bool {
		return strings.Contains(run(t, "comet", "send", "--to", "http://"+admin, "7", "x<y&z"), "reached 3")
	})
	eventually(t, "all three got the message", func() bool {
		got := page.evaluate("got.join('|')")
		return strings.Contains(got, " x<y&z") && strings.Contains(got, "ws x<y&z") && strings.Contains(got, "poll x<y&z")
	})
}

// page is a tab of a browser, spoken to by the DevTools protocol.
type page struct {
	t    *testing.T
	conn net.Conn
	id   int
}

func openPage(t *testing.T, chromium, url string) *page {
	t.Helper()
	_, out := background(t, chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--remote-debugging-port=0", "--user-data-dir="+t.TempDir(), "about:blank")
	browser := out.await(t, `ws://([0-9.:]+)/devtools/browser/\S+`)
	host := regexp.MustCompile(`ws://([0-9.:]+)/`).FindStringSubmatch(browser)[1]
	var tabs []struct {
		Type                 string
		WebSocketDebuggerURL string `json:"webSocketDebuggerUrl"`
	}
	eventually(t, "the browser has a tab", func() bool {
		answer, err := http.Get("http://" + host + "/json")
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		json.NewDecoder(answer.Body).Decode(&tabs)
		return len(tabs) > 0
	})
	conn, _, _, err := ws.Dial(t.Context(), tabs[0].WebSocketDebuggerURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	p := &page{t: t, conn: conn}
	p.call("Page.navigate", map[string]any{"url": url})
	return p
}

// call makes one call and returns its result.
func (p *page) call(method string, params map[string]any) json.RawMessage {
	p.t.Helper()
	p.id++
	request, _ := json.Marshal(map[string]any{"id": p.id, "method": method, "params": params})
	if err := wsutil.WriteClientText(p.conn, request); err != nil {
		p.t.Fatal(err)
	}
	for {
		p.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		text, err := wsutil.ReadServerText(p.conn)
		if err != nil {
			p.t.Fatal(err)
		}
		var answer struct {
			ID     int
			Result json.RawMessage
			Error  json.RawMessage
		}
		if json.Unmarshal(text, &answer); answer.ID == p.id {
			if answer.Error != nil {
				p.t.Fatalf("%s: %s", method, answer.Error)
			}
			return answer.Result
		}
	}
}

// evaluate returns the value of a JavaScript expression as text.
func (p *page) evaluate(expression string) string {
	p.t.Helper()
	var answer struct{ Result struct{ Value any } }
	json.Unmarshal(p.call("Runtime.evaluate", map[string]any{"expression": expression}), &answer)
	return fmt.Sprint(answer.Result.Value)
}

func (p *page) screenshot(path string) {
	p.t.Helper()
	var answer struct{ Data string }
	json.Unmarshal(p.call("Page.captureScreenshot", map[string]any{"format": "png"}), &answer)
	png, err := base64.StdEncoding.DecodeString(answer.Data)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, png, 0o644); err != nil {
		p.t.Fatal(err)
	}
}

func TestSystemCurl(t *testing.T) {
	curl := need(t, "curl")
	for _, engine := range []string{"epoll", "goroutine"} {
		t.Run(engine, func(t *testing.T) {
			cmd, addr, admin := startServer(t, "--engine", engine)
			stream, chunked := background(t, curl, "-siN", "http://"+addr+"/test/1,2")
			_, unchunked := background(t, curl, "-siN0", "http://"+addr+"/test/3")
			eventually(t, "both are connected", func() bool { return connections(t, admin) == 2 })
			run(t, curl, "-sf", "-d", "one <1>", "http://"+admin+"/send/1")
			run(t, curl, "-sf", "--data-binary", "2 two\n{\"id\":3,\"message\":\"three\"}\n", "http://"+admin+"/send")
			chunked.await(t, `HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nCache-Control: no-store, no-transform\r\nX-Accel-Buffering: no\r\nTransfer-Encoding: chunked\r\nServer: comet\r\n\r\nRecvd msg #1: 'one &lt;1&gt;'<br/>Recvd msg #2: 'two'<br/>$`)
			if got := unchunked.await(t, `(?s).*Recvd msg #1: 'three'<br/>$`); strings.Contains(got, "chunked") {
				t.Errorf("HTTP/1.0 was answered %q", got)
			}
			if head := run(t, curl, "-sI", "http://"+addr+"/test/1"); !strings.HasPrefix(head, "HTTP/1.1 200 OK") || connections(t, admin) != 2 {
				t.Errorf("HEAD was answered %q, and there are %d connections", head, connections(t, admin))
			}
			for path, status := range map[string]string{"/test/x": "400", "/test/": "400", "/": "404", "/test/9223372036854775808": "400"} {
				if got := run(t, curl, "-so", os.DevNull, "-w", "%{http_code}", "http://"+addr+path); got != status {
					t.Errorf("GET %s is answered %s, want %s", path, got, status)
				}
			}
			if got := run(t, curl, "-so", os.DevNull, "-w", "%{http_code}", "-X", "DELETE", "http://"+addr+"/test/1"); got != "501" {
				t.Errorf("DELETE is answered %s", got)
			}
			// SIGTERM: the last chunk, which curl demands, and exit code 0.
			cmd.Process.Signal(syscall.SIGTERM)
			eventually(t, "both have ended", func() bool { return ended(stream) && ended(cmd) })
			if code := stream.ProcessState.ExitCode(); code != 0 {
				t.Errorf("curl's exit code is %d: the stream was cut off", code)
			}
			if code := cmd.ProcessState.ExitCode(); code != 0 {
				t.Errorf("comet serve's exit code is %d", code)
			}
		})
	}
}

// ended reports that a program in the background has ended and was waited for.
func ended(cmd *exec.Cmd) bool {
	waited, known := inBackground.Load(cmd)
	if !known {
		return errors.Is(cmd.Process.Signal(syscall.Signal(0)), os.ErrProcessDone)
	}
	select {
	case <-waited.(chan struct{}):
		return true
	default:
		return false
	}
}

// connections returns how many streams a comet server has.
func connections(t *testing.T, admin string) int {
	t.Helper()
	answer, err := http.Get("http://" + admin + "/stats")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var stats struct{ Connections int }
	if err := json.NewDecoder(answer.Body).Decode(&stats); err != nil {
		t.Fatal(err)
	}
	return stats.Connections
}

// TestSystemLimit is the trap of a reader of the article: with a limit of 3 the
// fourth never got in, even when one of the three had left.
func TestSystemLimit(t *testing.T) {
	curl := need(t, "curl")
	_, addr, admin := startServer(t, "--max-connections", "3")
	first, _ := background(t, curl, "-sN", "http://"+addr+"/test/1")
	background(t, curl, "-sN", "http://"+addr+"/test/2")
	background(t, curl, "-sN", "http://"+addr+"/test/3")
	eventually(t, "three are connected", func() bool { return connections(t, admin) == 3 })
	if got := run(t, curl, "-si", "http://"+addr+"/test/4"); !strings.HasPrefix(got, "HTTP/1.1 503") || !strings.Contains(got, "Retry-After:") {
		t.Errorf("the fourth is answered %q", got)
	}
	first.Process.Signal(syscall.SIGKILL)
	begun := time.Now()
	eventually(t, "one has left", func() bool { return connections(t, admin) == 2 })
	background(t, curl, "-sN", "http://"+addr+"/test/4")
	eventually(t, "the next is in", func() bool { return connections(t, admin) == 3 })
	t.Logf("the next got in %v after one of three had left", time.Since(begun).Round(time.Millisecond))
}

// TestSystemKeepalive: without it a peer that vanished stays logged in.
func TestSystemKeepalive(t *testing.T) {
	curl, ss := need(t, "curl"), need(t, "ss")
	for _, engine := range []string{"epoll", "goroutine"} {
		for flag, want := range map[string]bool{"7m": true, "0": false} {
			_, addr, admin := startServer(t, "--engine", engine, "--keepalive", flag)
			background(t, curl, "-sN", "http://"+addr+"/test/1")
			eventually(t, "curl is connected", func() bool { return connections(t, admin) == 1 })
			sockets := run(t, ss, "-Htno", "state", "established", "src", addr)
			if got := strings.Contains(sockets, "timer:(keepalive,6min") || strings.Contains(sockets, "timer:(keepalive,7min"); got != want {
				t.Errorf("%s with --keepalive %s: ss says %q", engine, flag, sockets)
			}
		}
	}
}

// TestSystemHalfOpen has a client vanish without a word, as when its cable is
// pulled: a network namespace whose link goes down. The server must notice by
// --keepalive, both of a silent client and of one that it has a message for,
// which keepalive itself does not ask.
func TestSystemHalfOpen(t *testing.T) {
	t.Parallel() // it waits more than it works
	ip, curl := need(t, "ip"), need(t, "curl")
	for i, engine := range []string{"epoll", "goroutine"} {
		t.Run(engine, func(t *testing.T) {
			far := newNamespace(t, ip, i)
			_, addr, admin := startServer(t, "--engine", engine, "--keepalive", "1s", "--listen", far.near+":0")
			for _, id := range []string{"1", "2"} {
				_, out := background(t, ip, "netns", "exec", far.name, curl, "-sN", "http://"+addr+"/test/"+id)
				eventually(t, "client "+id+" is connected", func() bool {
					return strings.Contains(run(t, "comet", "send", "--to", "http://"+admin, id, "hello"), "reached 1")
				})
				out.await(t, "hello") // and it is not blocked by anything
			}
			run(t, ip, "-n", far.name, "link", "set", far.link, "down")
			begun := time.Now()
			if got := run(t, "comet", "send", "--to", "http://"+admin, "2", "into the void"); !strings.Contains(got, "reached 1") {
				t.Errorf("a moment after the link went down, a message %s", got)
			}
			last := 2
			eventually(t, "both are known to be gone", func() bool {
				if now := connections(t, admin); now != last {
					t.Logf("%v after the link went down, %d of 2 connections are left", time.Since(begun).Round(50*time.Millisecond), now)
					last = now
				}
				return last == 0
			})
		})
	}
}

// namespace is a network namespace with a link to this one.
type namespace struct {
	name, link string
	near       string // this end's address
}

// newNamespace makes the n-th one, out of the addresses that are set aside for
// tests (RFC 2544). It needs root.
func newNamespace(t *testing.T, ip string, n int) namespace {
	t.Helper()
	id := fmt.Sprintf("%d-%d", os.Getpid()%100_000, n)
	ns := namespace{name: "comet-" + id, link: "cf" + id, near: fmt.Sprintf("198.18.%d.1", 200+n)}
	if out, err := exec.CommandContext(t.Context(), ip, "netns", "add", ns.name).CombinedOutput(); err != nil {
		t.Skipf("a network namespace cannot be made here (root can): %s", out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command(ip, "netns", "del", ns.name).CombinedOutput(); err != nil {
			t.Errorf("the namespace %s is left over: %s", ns.name, out)
		}
	})
	near := "cn" + id
	if out, err := exec.CommandContext(t.Context(), ip, "link", "add", near, "type", "veth", "peer", "name", ns.link, "netns", ns.name).CombinedOutput(); err != nil {
		t.Skipf("a veth link cannot be made here: %s", out)
	}
	t.Cleanup(func() { // sockets that still try to say goodbye would keep it
		if out, err := exec.Command(ip, "link", "del", near).CombinedOutput(); err != nil {
			t.Errorf("the link %s is left over: %s", near, out)
		}
	})
	run(t, ip, "addr", "add", ns.near+"/24", "dev", near)
	run(t, ip, "link", "set", near, "up")
	run(t, ip, "-n", ns.name, "addr", "add", fmt.Sprintf("198.18.%d.2/24", 200+n), "dev", ns.link)
	run(t, ip, "-n", ns.name, "link", "set", ns.link, "up")
	return ns
}

// TestSystemBenchKilled: whatever happens to bench, its processes end.
func TestSystemBenchKilled(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "report")
	bench, _ := background(t, "comet", "bench", "-c", "100", "-d", "60s", "--idle", "1s", "--out", folder)
	eventually(t, "messages arrive", func() bool {
		log, _ := os.ReadFile(filepath.Join(folder, "flood.log"))
		return regexp.MustCompile(`p99_ms=[0-9]`).Match(log)
	})
	children := childrenOf(bench.Process.Pid)
	if len(children) != 4 {
		t.Errorf("bench has %d children, want server, memlog, flood and msggen", len(children))
	}
	bench.Process.Kill()
	eventually(t, "all of them have ended", func() bool {
		for _, pid := range children {
			if _, err := os.Stat("/proc/" + strconv.Itoa(pid)); err == nil {
				return false
			}
		}
		return true
	})
}

// childrenOf lists the processes whose parent is pid (proc_pid_stat(5)).
func childrenOf(pid int) (children []int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		text, _ := os.ReadFile(path)
		_, rest, _ := strings.Cut(string(text), ") ") // behind the name, which may hold anything
		if fields := strings.Fields(rest); len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			child, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			children = append(children, child)
		}
	}
	return children
}

// TestSystemNchan floods and watches a server that is not ours, and compares
// with the figures of ss, ps and nchan itself.
func TestSystemNchan(t *testing.T) {
	ss, ps := need(t, "ss"), need(t, "ps")
	const addr, n = "127.0.90.1:8090", 1000
	pid := startNchan(t, addr, "nchan_subscriber http-chunked; nchan_subscriber_first_message newest;")
	memLog := filepath.Join(t.TempDir(), "mem.log")
	background(t, "comet", "memlog", "--pid", pid, "--listen", addr, "--interval", "1s", "--out", memLog)
	_, flood := background(t, "comet", "flood", "http://"+addr+"/sub/{id}", "-H", "TE: chunked", "-c", strconv.Itoa(n), "--source-ip", "127.0.90.2")
	flood.await(t, `Stats: \{1000,0,0\}`)
	for id := 1; id <= n; id += 2 {
		answer, err := http.Post(fmt.Sprintf("http://%s/pub/%d", addr, id), "text/plain", strings.NewReader("Hello World"))
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
	}
	flood.await(t, `Stats: \{1000,0,500\}`)

	established := strings.Count(run(t, ss, "-Htn", "state", "established", "src", addr), "\n")
	last := lastLine(t, memLog, 2)
	fields := strings.Split(last, "\t")
	rss, _ := strconv.Atoi(fields[2])
	conns, _ := strconv.Atoi(fields[3])
	psRSS := 0
	for kb := range strings.FieldsSeq(run(t, ps, "-o", "rss=", "--pid", pid, "--ppid", pid)) {
		n, _ := strconv.Atoi(kb)
		psRSS += n
	}
	answer, err := http.Get("http://" + addr + "/status")
	if err != nil {
		t.Fatal(err)
	}
	own, _ := io.ReadAll(answer.Body)
	answer.Body.Close()
	subscribers := regexp.MustCompile(`subscribers: (\d+)`).FindStringSubmatch(string(own))
	t.Logf("connections: memlog %d, ss %d, nchan's own %v; RSS of nginx and its workers: memlog %d kB, ps %d kB", conns, established, subscribers, rss, psRSS)
	if conns != established || conns < n {
		t.Errorf("memlog counts %d connections, ss %d", conns, established)
	}
	if subscribers == nil || subscribers[1] != strconv.Itoa(n) {
		t.Errorf("nchan counts %v subscribers, the flood %d", subscribers, n)
	}
	if diff := rss - psRSS; diff < -psRSS/20 || diff > psRSS/20 {
		t.Errorf("memlog says %d kB, ps %d kB", rss, psRSS)
	}
}

// lastLine waits for a file to have lines and returns the last.
func lastLine(t *testing.T, path string, lines int) (last string) {
	t.Helper()
	eventually(t, path+" has lines", func() bool {
		content, _ := os.ReadFile(path)
		all := strings.Split(strings.TrimSpace(string(content)), "\n")
		last = all[len(all)-1]
		return len(all) >= lines
	})
	return last
}

// output is what a program prints, to be waited for.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) locked(do func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	do()
}

func (o *output) Write(p []byte) (n int, err error) {
	o.locked(func() { n, err = o.text.Write(p) })
	return n, err
}

// await waits until what was printed matches, and returns the match.
func (o *output) await(t *testing.T, pattern string) (found string) {
	t.Helper()
	re := regexp.MustCompile(pattern)
	eventually(t, "printed "+pattern, func() bool {
		o.locked(func() { found = re.FindString(o.text.String()) })
		return found != ""
	})
	return found
}
