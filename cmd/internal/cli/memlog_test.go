package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"example.org/comet/memlog/series"
	"example.org/comet/server"
)

func TestMemlogUsage(t *testing.T) {
	self := fmt.Sprint(os.Getpid())
	tests := []struct {
		args []string
		want string
	}{
		{nil, "--pid N or --match PATTERN"},
		{[]string{"--pid", self, "--match", "x"}, "by --pid or by --match, not by both"},
		{[]string{"--pid", "x"}, "pid"},
		{[]string{"--pid", "-1"}, "process id"},
		{[]string{"--match", "("}, `--match: "(" is not a regular expression: missing closing ): `},
		{[]string{"--match", ""}, `"" is empty: give a value, or leave --match out`},
		{[]string{"--match", "no process has this " + "in its command line"}, "nothing that runs matches"},
		{[]string{"--pid", "2147483646"}, "2147483646"},
		{[]string{"--pid", self, "--listen", "localhost:80"}, "localhost"},
		{[]string{"--pid", self, "--interval", "60"}, "write 60s"},
		{[]string{"--pid", self, "--interval", "0"}, "use 1ms or more"},
		{[]string{"--pid", self, "--out", filepath.Join(t.TempDir(), "no", "mem.log")}, "mem.log"},
		{[]string{"--pid", self, "extra"}, "extra"},
		{[]string{"--pid", self, "--stats", "127.0.0.1:8001"}, "write http://127.0.0.1:8001"},
		{[]string{"--pid", self, "--admin-token-file", "x"}, "--stats"},
		{[]string{"--mark", "x"}, "--out FILE"},
		{[]string{"--mark", " ", "-o", "mem.log"}, "needs a text"},
		{[]string{"--mark", "x", "--pid", self, "-o", "mem.log"}, "--pid says nothing"},
		{[]string{"--mark", "x", "-d", "1s", "-o", "mem.log"}, "--duration says nothing"},
		{[]string{"--mark", "x", "-o", filepath.Join(t.TempDir(), "mem.log")}, "no log to mark"},
	}
	for _, tt := range tests {
		out, code, err := execute(t.Context(), nil, append([]string{"memlog"}, tt.args...)...)
		if code != exitUsage || out != "" || err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("memlog %q: exit code %d, printed %q, error %v; want 2 and %q", tt.args, code, out, err, tt.want)
		}
	}
}

func TestMemlogLeavesNoEmptyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mem.log")
	if _, code, err := execute(t.Context(), nil, "memlog", "--pid", "2147483646", "-o", path); code != exitUsage {
		t.Errorf("exit code %d, %v", code, err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("a file was left: %v", err)
	}
}

func TestMemlogAppendsToAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mem.log")
	for range 2 {
		out, code, err := execute(t.Context(), nil, "memlog", "--pid", fmt.Sprint(os.Getpid()), "--no-children",
			"--interval", "250ms", "-d", "1ms", "-o", path)
		if code != exitDone || out != "" {
			t.Fatalf("exit code %d, printed %q, error %v", code, out, err)
		}
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	samples, malformed, err := series.ReadAll(f, path)
	if err != nil || len(malformed) != 0 || len(samples) != 4 {
		t.Fatalf("%d samples, malformed %v, error %v; want 4", len(samples), malformed, err)
	}
	for _, s := range samples {
		if pid, ok := s.Field("pid"); !ok || pid != fmt.Sprint(os.Getpid()) || s.RSSKB < 1 || s.Connections != series.Unknown {
			t.Errorf("%+v", s)
		}
	}
}

// untilItPrints runs a command line, and ends it once it has printed a line with text.
func untilItPrints(ctx context.Context, stdin io.Reader, text string, end func(), args ...string) (stdout string, code int, errs string) {
	env, out, errOut := testEnv(stdin)
	once := sync.OnceFunc(end)
	env.Stdout = writerFunc(func(p []byte) (int, error) {
		if strings.Contains(string(p), text) {
			defer once()
		}
		return out.Write(p)
	})
	code = Run(ctx, env, args)
	return out.String(), code, errOut.String()
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestMemlogEndsWithStdin(t *testing.T) {
	r, w := io.Pipe()
	out, code, errs := untilItPrints(t.Context(), r, "", func() { w.Close() }, "memlog", "--pid", fmt.Sprint(os.Getpid()), "--end-with-stdin")
	if code != exitDone || strings.Count(out, "\n") != 1 {
		t.Errorf("exit code %d, printed %q, error %s", code, out, errs)
	}
}

// A signal is how a run without a planned end ends; one with a planned end was
// interrupted.
func TestMemlogEndsByASignal(t *testing.T) {
	for args, want := range map[string]int{"": exitDone, "-d 1h": 128 + int(syscall.SIGTERM)} {
		ctx, cancel := context.WithCancelCause(t.Context())
		all := append([]string{"--pid", fmt.Sprint(os.Getpid())}, strings.Fields(args)...)
		out, code, errs := untilItPrints(ctx, nil, "", func() { cancel(interrupted{syscall.SIGTERM}) }, append([]string{"memlog"}, all...)...)
		if code != want || strings.Count(out, "\n") != 1 {
			t.Errorf("%q: exit code %d, printed %q, error %s; want %d", args, code, out, errs, want)
		}
	}
}

// A real server is watched with its own count beside the kernel's, a collection
// is forced and an event put in by hand; then the log is drawn.
func TestMemlogOfAServer(t *testing.T) {
	s, err := server.New(server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()
	resp, err := http.Get("http://" + s.Addr().String() + "/test/1")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()

	path := filepath.Join(t.TempDir(), "mem.log")
	logCtx, stop := context.WithCancelCause(t.Context())
	logged := make(chan error, 1)
	go func() {
		_, _, err := execute(logCtx, nil, "memlog", "--pid", fmt.Sprint(os.Getpid()), "--no-children", "--interval", "20ms",
			"--listen", s.Addr().String(), "--stats", "http://"+s.AdminAddr().String(), "-o", path)
		logged <- err
	}()
	waitForLog(t, path, "server_conns=1")
	resp, err = http.Post("http://"+s.AdminAddr().String()+"/gc", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	waitForLog(t, path, "event=gc")
	if out, code, err := execute(t.Context(), nil, "memlog", "--mark", "by hand", "-o", path); code != exitDone || out != "" {
		t.Errorf("--mark: exit code %d, printed %q, error %v", code, out, err)
	}
	stop(interrupted{syscall.SIGTERM})
	if err := <-logged; err != nil {
		t.Error(err)
	}

	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if gc, hand := strings.Count(string(text), "\tevent=gc\n"), strings.Count(string(text), "\tevent=by%20hand\n"); gc != 1 || hand != 1 {
		t.Errorf("%d collections and %d events by hand are marked, want one each:\n%s", gc, hand, text)
	}
	samples, malformed, err := series.ReadAll(bytes.NewReader(text), path)
	if err != nil || len(malformed) > 0 {
		t.Fatal(malformed, err)
	}
	for _, s := range samples {
		if _, sampled := s.Field("server_conns"); sampled && runtime.GOOS == "linux" && s.Connections != 1 {
			t.Errorf("%d connections counted, want 1", s.Connections)
		}
	}
	env := &Env{Stdout: io.Discard, Stderr: io.Discard, Getenv: func(string) string { return "" }}
	if code := Run(t.Context(), env, []string{"plot", "--size", "500x450", "-o", filepath.Join(t.TempDir(), "mem.png"), path}); code != exitDone {
		t.Errorf("plot: exit code %d", code)
	}
}

// waitForLog waits until text stands in the log at path.
func waitForLog(t *testing.T, path, text string) {
	t.Helper()
	for range 1000 {
		if b, err := os.ReadFile(path); err == nil && strings.Contains(string(b), text) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%q does not appear in the log", text)
}
