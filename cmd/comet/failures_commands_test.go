package main

import (
	"bytes"
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"example.org/comet/cmd/internal/cli"
)

// saidAll runs a command line and returns its exit code and all that it prints,
// as on a terminal.
func saidAll(t *testing.T, args ...string) (code int, all string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out bytes.Buffer
	both := &locked{w: &out}
	env := &cli.Env{Stdin: strings.NewReader(""), Stdout: both, Stderr: both, Getenv: func(string) string { return "" }}
	code = cli.Run(ctx, env, args)
	return code, out.String()
}

// closedPort returns an address where nothing listens, nor will while the test runs: its
// port is that of a connection.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}}
	c, err := from.DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.LocalAddr().String()
}

// TestFailuresOfEachCommand: each kind that concerns a request, made on purpose for
// each command that makes one: its first line names the cause and the cure, for
// what the user ran.
func TestFailuresOfEachCommand(t *testing.T) {
	t.Parallel()
	whole := func(head string) func(net.Conn) {
		return answers("HTTP/1.1 " + head + "\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
	}
	odd := func(behave func(net.Conn)) string { return "http://" + oddPeer(t, behave) }
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(secure.Close)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	const notAdmin, stats = "not the admin listener of a comet server", "/stats, on its admin listener"
	for name, c := range map[string]struct {
		url string
		// What each says first.
		to, send, stats, bench string
	}{
		"nothing listens": {"http://" + closedPort(t), "nothing listens there", "nothing listens there", "nothing listens there", "nothing listens at that address"},
		"no such host":    {"http://no-such-host.invalid", "check the name", "check the name", "check the name", "check its name"},
		"closed":          {odd(func(net.Conn) {}), "see that the server runs", "see that the server runs", "see that the server runs", "without an answer"},
		"a TLS alert":     {odd(answers("\x15\x03\x01\x00\x02\x02\x16")), "write https:// instead", "write https:// instead", "write https:// instead", "it speaks TLS there"},
		"SSH":             {odd(answers("SSH-2.0-OpenSSH\r\n")), "HTTP/1.1", "HTTP/1.1", "does not speak HTTP/1.1", "but SSH"}, // in other words if it answers before it is asked
		"401":             {odd(whole("401 Unauthorized")), "COMET_ADMIN_TOKEN", "COMET_ADMIN_TOKEN", "COMET_ADMIN_TOKEN", "-H 'Authorization"},
		"404":             {odd(whole("404 Not Found")), notAdmin, notAdmin, stats, "that of a stream"},
		"503":             {odd(whole("503 Service Unavailable\r\nRetry-After: 7")), "503 Service Unavailable, and asks to wait 7 s", "wait 7 s", "503 Service Unavailable: see the log", "wait 7 s"},
		"a page":          {odd(answers("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")), "is not a comet server: its answer is not JSON", "is not a comet server", stats, ""},
		"TLS to plain":    {strings.Replace(plain.URL, "http:", "https:", 1), "write http:// instead", "write http:// instead", "write http:// instead", ""},
		"closed on TLS":   {strings.Replace(odd(nil), "http:", "https:", 1), "speaks TLS there", "speaks TLS there", "speaks TLS if", ""},
		"untrusted":       {secure.URL, "certificate", "certificate", "certificate", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "no such host" && !resolves() {
				t.Skip("no name server answers here")
			}
			for _, run := range []struct {
				want string
				args []string
			}{
				{c.to, []string{"msggen", "-q", "--to", c.url, "--count", "1", "--max-id", "1", "-r", "100"}},
				{c.send, []string{"send", "--to", c.url, "1", "hello"}},
				{c.stats, []string{"memlog", "-q", "--pid", strconv.Itoa(os.Getpid()), "--interval", "100ms", "-d", "300ms", "--stats", c.url + "/stats"}},
				{c.bench, []string{"bench", "-q", "-c", "10", "-d", "1s", "--idle", "1s", "--out", filepath.Join(t.TempDir(), "r"), "--url", c.url + "/{id}", "--publish", c.url + "/p/{id}"}},
			} {
				if run.want == "" {
					continue
				}
				code, first := said(t, run.args...)
				expect(t, run.args[0], first, []string{run.want})
				if run.args[0] == "send" && strings.Contains(first, "msggen") {
					t.Errorf("comet send says %q: the user ran no msggen", first)
				}
				if code == 0 && run.args[0] != "memlog" { // whose log has "-" for what is unknown
					t.Errorf("%q: exit code 0", run.args)
				}
			}
		})
	}
}

// resolves reports whether a name that cannot exist (RFC 6761) is known not to.
func resolves() bool {
	_, err := net.LookupHost("no-such-host.invalid")
	missing, ok := err.(*net.DNSError) //nolint:errorlint // as LookupHost returns it
	return ok && missing.IsNotFound
}

// TestABenchThatFailsSaysWhyOnce, before anything else.
func TestABenchThatFailsSaysWhyOnce(t *testing.T) {
	t.Parallel()
	url := "http://" + closedPort(t)
	code, all := saidAll(t, "bench", "-q", "-c", "10", "-d", "1s", "--idle", "1s", "--out", filepath.Join(t.TempDir(), "r"), "--url", url+"/{id}", "--publish", url+"/p/{id}")
	if code != 1 || !strings.HasPrefix(all, "comet: ") || strings.Count(all, "nothing listens") != 1 || strings.Count(all, "\n") != 1 {
		t.Errorf("exit code %d, and it printed\n%s\nwant 1 and the reason, once", code, all)
	}
	_, all = saidAll(t, "bench", "-c", "10", "-d", "1s", "--idle", "1s", "--out", filepath.Join(t.TempDir(), "r"), "--url", url+"/{id}", "--publish", url+"/p/{id}")
	if !strings.Contains(all, "memory not measured (name --pid, --match or --server-log)") || strings.Count(all, "nothing listens") != 1 {
		t.Errorf("it printed\n%s", all)
	}
}

// TestOneDashTooFew: a flag that was misspelled with one dash, which is read as a
// letter and its value, is asked for.
func TestOneDashTooFew(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"flood -conections":            "did you mean --connections?",
		"flood -conections 5 http://x": "did you mean --connections?",
		"flood http://x -conections=5": "did you mean --connections?",
		"flood -connections 5":         "write --connections",
		"flood -duraton 5s http://x":   "did you mean --duration?",
		"bench -conections 5":          "did you mean --connections?",
		"msggen -rat 5":                "did you mean --rate?",
		"serve -listn x":               "did you mean --listen?",
		"memlog -outt x":               "did you mean --out?",
		"plot -oout mem.log":           "did you mean --out?",
		"flood -headr x http://x":      "did you mean --header?",
	} {
		code, first := said(t, strings.Fields(line)...)
		if code != 2 || !strings.Contains(first, want) {
			t.Errorf("comet %s: exit code %d, %q; want %q in it", line, code, first, want)
		}
	}
}

// locked is a writer for several goroutines.
type locked struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
