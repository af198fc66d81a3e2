package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/cobra"

	"example.org/comet/cmd/internal/bench"
	"example.org/comet/cmd/internal/flags"
	"example.org/comet/cmd/internal/result"
)

func TestExitCode(t *testing.T) {
	failure := errors.New("a failure")
	for _, test := range []struct {
		name string
		err  error
		want int
	}{
		{"done", nil, 0},
		{"failed", failure, 1},
		{"usage", usagef("no"), 2},
		{"usage, wrapped", fmt.Errorf("x: %w", usageError{failure}), 2},
		{"target", targetError{failure}, 3},
		{"hangup", interrupted{syscall.SIGHUP}, 129},
		{"interrupt", interrupted{syscall.SIGINT}, 130},
		{"quit", interrupted{syscall.SIGQUIT}, 131},
		{"broken pipe", interrupted{syscall.SIGPIPE}, 141},
		{"terminate", interrupted{syscall.SIGTERM}, 143},
		{"a signal beats a failure", errors.Join(interrupted{syscall.SIGTERM}, failure), 143},
		{"a signal beats a target", errors.Join(targetError{failure}, interrupted{syscall.SIGINT}), 130},
		{"a signal beats usage", usage(fmt.Errorf("reading: %w", interrupted{syscall.SIGINT})), 130},
		{"said already", reported(7), 7},
	} {
		if got := exitCode(test.err); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}

func TestPlanned(t *testing.T) {
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(interrupted{syscall.SIGTERM})
	failure := errors.New("a part was lost")
	for _, test := range []struct {
		name string
		ctx  context.Context
		err  error
		code int
		says string
	}{
		{"no signal", t.Context(), nil, 0, ""},
		{"no signal, a failure", t.Context(), failure, 1, "a part was lost"},
		{"a signal", ended, nil, 143, "ended by SIGTERM"},
		{"a signal, said by the work", ended, context.Canceled, 143, "ended by SIGTERM"},
		{"a signal and a failure", ended, failure, 143, "a part was lost"},
		{"the same signal", ended, fmt.Errorf("reading: %w", interrupted{syscall.SIGTERM}), 143, "reading: ended by SIGTERM"},
	} {
		err := planned(test.ctx, test.err)
		if code := exitCode(err); code != test.code || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v, %d; want %d", test.name, err, code, test.code)
		}
	}
}

// TestFaults: a run that came to its end is not exit 0 if not everything went
// well.
func TestFaults(t *testing.T) {
	well := &result.Result{}
	well.Connections.Failed, well.Connections.Asked = result.Of(0), result.Of(10)
	some := &result.Result{}
	some.Connections.Failed, some.Connections.Asked = result.Of(1), result.Of(10)
	none := &result.Result{}
	none.Connections = result.Connections{Asked: result.Of(10), Failed: result.Of(10), Established: result.Of(0)}
	refused, unknown := &result.Result{}, &result.Result{}
	refused.Messages.Sent, refused.Messages.Refused = result.Of(6), result.Of(4)
	unknown.Messages.Sent, unknown.Messages.Unknown = result.Of(9), result.Of(1)
	lost := &result.Result{}
	lost.Processes.List = []result.Process{{Role: "server", Number: 1}, {Role: "flood", Number: 2, Lost: true}}
	series := &result.Scale{Steps: []result.Step{{Connections: well.Connections}, {Folder: "20", Connections: some.Connections}}}
	for _, test := range []struct {
		o       bench.Outcome
		want    string
		targets result.Targets
	}{
		{bench.Outcome{}, "", nil},
		{bench.Outcome{Result: &result.Result{}}, "", nil},
		{bench.Outcome{Result: well}, "", nil},
		{bench.Outcome{Result: some}, "1 of 10 connections failed", nil},
		{bench.Outcome{Result: refused}, "4 of 10 messages were refused", nil},
		{bench.Outcome{Result: unknown}, "of 1 of 10 messages it is unknown whether they were accepted", nil},
		{bench.Outcome{Scale: &result.Scale{Steps: []result.Step{{Folder: "10", Messages: refused.Messages}}}}, "10: 4 of 10 messages were refused", nil},
		{bench.Outcome{Result: lost}, "flood 2 was lost", nil},
		{bench.Outcome{Scale: series}, "20: 1 of 10 connections failed", nil},
		{bench.Outcome{Result: some}, "", about(t, "errors<10")},
		{bench.Outcome{Result: some}, "", about(t, "connections.failed<10")},
		{bench.Outcome{Result: some}, "1 of 10 connections failed", about(t, "p99<50ms", "messages.refused<10")},
		{bench.Outcome{Result: none}, "10 of 10 connections failed", about(t, "errors<20")},
		{bench.Outcome{Result: refused}, "", about(t, "errors<10")},
		{bench.Outcome{Result: refused}, "", about(t, "messages.refused<10")},
		{bench.Outcome{Result: refused}, "4 of 10 messages were refused", about(t, "connections.failed=0")},
		{bench.Outcome{Result: unknown}, "", about(t, "messages.unknown<10")},
		{bench.Outcome{Result: unknown}, "of 1 of 10 messages it is unknown whether they were accepted", about(t, "errors<10")}, // which leaves them out
		{bench.Outcome{Result: lost}, "", about(t, "errors<10")},
		{bench.Outcome{Result: lost}, "flood 2 was lost", about(t, "connections.failed<10")},
		{bench.Outcome{Scale: series}, "", about(t, "errors<10")},
	} {
		got := ""
		if err := faults(&test.o, test.targets); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}

// TestFloodExit: a connection that failed is exit 1, with the reason.
func TestFloodExit(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/2" {
			http.Error(w, "full", http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	defer server.Close()
	for _, test := range []struct {
		ids  string
		code int
		says string
	}{{"1", 0, ""}, {"1-2", 1, "503"}, {"2", 1, "503"}} {
		var out string
		var code int
		var err error
		for _, long := range []string{"500ms", "5s"} { // as a busy machine needs
			if out, code, err = execute(t.Context(), nil, "flood", server.URL+"/{id}", "--ids", test.ids, "-d", long); code == test.code {
				break
			}
		}
		if code != test.code || err != nil && strings.Count(err.Error(), test.says) != 1 {
			t.Errorf("ids %s: exit code %d, %v, %q; want %d and %q once", test.ids, code, err, out, test.code, test.says)
		}
	}
	// Without a planned end a signal is the end, and not the outcome.
	ctx, cancel := context.WithCancelCause(t.Context())
	_, code, errs := untilItPrints(ctx, nil, `"type":"connected"`, func() { cancel(interrupted{syscall.SIGINT}) }, "flood", server.URL+"/{id}", "--ids", "1-2", "--json")
	if code != exitFailed {
		t.Errorf("interrupted without a planned end: exit code %d, %v", code, errs)
	}
	// Whoever started it reads that in the result.
	stdin, tell := io.Pipe()
	go func() { _, _ = tell.Write([]byte("\n")) }()
	out, code, errs := untilItPrints(t.Context(), stdin, `"type":"connected"`, func() { tell.Close() }, "flood", server.URL+"/{id}", "--ids", "1-2", "--attended", "--json")
	if code != exitDone || !strings.Contains(out, `"failed":1`) {
		t.Errorf("attended: exit code %d, %v, %q", code, errs, out)
	}
}

// TestHear: the first signal ends, its echo is nothing, the next one ends at
// once; those that reopen logs do.
func TestHear(t *testing.T) {
	type heard struct{ ended, again, reopened int }
	for _, test := range []struct {
		name             string
		signals          []syscall.Signal
		apart            time.Duration
		terminal, daemon bool
		want             heard
	}{
		{"once", []syscall.Signal{syscall.SIGTERM}, 0, false, false, heard{ended: 15}},
		{"twice", []syscall.Signal{syscall.SIGTERM, syscall.SIGINT}, time.Second, false, false, heard{ended: 15, again: 2}},
		{"an echo", []syscall.Signal{syscall.SIGHUP, syscall.SIGHUP}, time.Millisecond, true, true, heard{ended: 1}},
		{"hangup, a daemon", []syscall.Signal{syscall.SIGHUP, syscall.SIGHUP}, time.Second, false, true, heard{reopened: 2}},
		{"hangup, a daemon on a terminal", []syscall.Signal{syscall.SIGHUP}, 0, true, true, heard{ended: 1}},
		{"hangup, another command", []syscall.Signal{syscall.SIGHUP}, 0, false, false, heard{ended: 1}},
	} {
		synctest.Test(t, func(t *testing.T) {
			env, _, _ := testEnv(nil)
			var got heard
			defer env.OnReopen(func() error { got.reopened++; return nil })()
			if test.daemon {
				env.HangupReopens()
			}
			signals, done, again := make(chan os.Signal), make(chan struct{}), make(chan syscall.Signal, 1)
			go env.hear(signals, done, test.terminal, func(s syscall.Signal) { got.ended = int(s) }, again)
			for _, s := range test.signals {
				signals <- s
				synctest.Wait()
				time.Sleep(test.apart)
			}
			select {
			case s := <-again:
				got.again = int(s)
			default:
			}
			close(done)
			if got != test.want {
				t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
			}
		})
	}
}

// TestRestore: what was registered last is put back first, what was forgotten is
// not, and a failure does not keep the others.
func TestRestore(t *testing.T) {
	env, _, errs := testEnv(nil)
	var order []string
	add := func(name string, err error) func() {
		return env.AtExit(func() error { order = append(order, name); return err })
	}
	add("first", nil)
	forget := add("forgotten", nil)
	add("failing", errors.New("no permission"))
	forget()
	forget()
	env.restore()
	if got := strings.Join(order, " "); got != "failing first" || !strings.Contains(errs.String(), "no permission") {
		t.Errorf("%s, and it said %q", got, errs)
	}
}

// TestReopenAccessLog: a signal has the log opened again.
func TestReopenAccessLog(t *testing.T) {
	env, _, _ := testEnv(nil)
	path := filepath.Join(t.TempDir(), "access.log")
	log, closeLog, err := openAccessLog(env, path)
	if err != nil {
		t.Fatal(err)
	}
	defer closeLog()
	if err := os.Rename(path, path+".old"); err != nil {
		t.Skip("an open file cannot be renamed here")
	}
	env.reopen()
	if _, err := io.WriteString(log, "1\n"); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); string(text) != "1\n" {
		t.Errorf("the new log has %q, %v", text, err)
	}
	for _, path := range []string{"", "-"} {
		if log, _, err := openAccessLog(env, path); err != nil || (log == nil) != (path == "") {
			t.Errorf("%q: %v, %v", path, log, err)
		}
	}
}

// TestOptions: each command's run sees what its flags say.
func TestOptions(t *testing.T) {
	env, _, _ := testEnv(nil)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("\ufeffsecret\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(cmd *cobra.Command, args string) {
		t.Helper()
		cmd.SetArgs(strings.Fields(args))
		if err := cmd.ExecuteContext(t.Context()); err != nil {
			t.Errorf("%s %s: %v", cmd.Name(), args, err)
		}
	}
	run(newFlood(env, func(_ context.Context, _ *Env, o *floodOptions) error {
		if c := o.Config; c.URL != "http://h/{id}" || c.Connections != 10_000 || c.FirstID != 5 || c.LastID != 9 || len(c.Sources) != 3 || c.Pace.Rate() != 2000 || !o.JSON {
			t.Errorf("%+v", o)
		}
		return nil
	}), "http://h/{id} -c 10k --ids 5-9 --source-ip 127.0.0.2-127.0.0.4 --connect-rate 2k --json")
	run(newServe(env, func(_ context.Context, _ *Env, o *flags.ServeCommand) error {
		if c := o.Config; c.AdminToken != "secret" || c.KeepAlive >= 0 || c.Engine != "" || c.Heartbeat != 15*time.Second || len(o.Node.Servers.URLs) != 2 {
			t.Errorf("%+v", o)
		}
		return nil
	}), "--admin-token-file "+token+" --keepalive 0 --engine auto --heartbeat 15s --router nats://a,nats://b")
	run(newMsggen(env, func(_ context.Context, _ *Env, o *flags.MsggenCommand) error {
		if c := o.Config; c.Rate != 5000 || c.Interval != 0 || c.Max || c.Token != "secret" || c.MaxID != 10_000 || c.Count != 7 {
			t.Errorf("%+v", o)
		}
		return nil
	}), "--rate 5k --admin-token-file "+token+" --count 7")
	run(newRouter(env, func(_ context.Context, _ *Env, o *flags.RouterCommand) error {
		if c := o.Config; c.Credentials != "secret" || c.AdminToken != "" || c.DrainTimeout != time.Second {
			t.Errorf("%+v", o)
		}
		return nil
	}), "--credentials "+token+" --drain-timeout 1s")
	run(newSend(env, func(_ context.Context, _ *Env, o *flags.SendCommand) error {
		if o.ID != 7 || o.Message != "-5" || o.HTTP.Token != "secret" {
			t.Errorf("%+v", o)
		}
		return nil
	}), "--admin-token-file "+token+" -- 7 -5")
	run(newMemlog(env, func(_ context.Context, _ *Env, o *flags.MemlogCommand) error {
		if c := o.Config; len(c.PIDs) != 3 || len(c.Listen) != 2 || c.Interval != time.Minute || c.Duration != 24*time.Hour || o.Out != "-" {
			t.Errorf("%+v", o)
		}
		return nil
	}), "--pid 1,2 --pid 3 --listen 8000,:9000 -d 1d")
	run(newPlot(env, func(_ context.Context, _ *Env, o *plotOptions) error {
		if o.Config.Width != 600 || o.Config.Height != 450 || !o.TitleGiven || len(o.Logs) != 2 || o.Labels[1] != "b" || o.Format != "svg" {
			t.Errorf("%+v", o)
		}
		return nil
	}), "-o x.svg --size 600x450 --title t a b")
}
