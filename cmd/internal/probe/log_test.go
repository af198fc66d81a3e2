package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"example.org/comet/cmd/internal/result"
	"example.org/comet/memlog/series"
)

func sampleAt(at time.Time, rssKB int64) series.Sample {
	return series.Sample{Time: at, RSSKB: rssKB, Connections: 7, Fields: []series.Field{
		{Key: "cpu_s", Value: "1.50"}, {Key: "procs", Value: "3"}, {Key: "threads", Value: "3"},
	}}
}

// since reports whether a log has a sample since a moment.
func since(l *Log, moment time.Time) bool {
	_, ok := l.Since(moment)(false)
	return ok
}

func TestLogIsReadByItsOwnClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &Log{Name: "a log"}
		if u, ok := l.Since(time.Time{})(false); ok {
			t.Errorf("%+v before the first sample", u)
		}
		if trouble := l.Trouble(); !strings.Contains(trouble, "brought no sample") {
			t.Errorf("a log without a sample: %q", trouble)
		}
		// That host's clock is an hour behind, and the first sample was on its way
		// for three seconds.
		const behind = time.Hour
		add := func(took time.Duration, kb int64) time.Time {
			taken := time.Now()
			time.Sleep(took)
			l.add(sampleAt(taken.Add(-behind), kb), time.Now(), true)
			return taken
		}
		add(3*time.Second, 1000)
		taken := add(0, 2000)
		u, ok := l.Since(taken)(false)
		if !ok || u.RSS != result.Of(2000*1024) || u.CPU != result.Of(1.5) || u.Procs != result.Of(3) || u.Threads != result.Of(3) || u.PSS != (result.Figure{}) {
			t.Fatalf("%+v; want the second sample", u)
		}
		if since(l, taken.Add(time.Millisecond)) {
			t.Error("the sample from before is taken for a new one")
		}
		// One that was late is not taken for one of now.
		if late := add(5*time.Second, 3000); since(l, late.Add(time.Second)) {
			t.Error("a sample that was on its way for 5 s is taken for a new one")
		}
		if trouble := l.Trouble(); trouble != "" {
			t.Errorf("trouble: %s", trouble)
		}
		if got := l.Behind(); got != behind {
			t.Errorf("its clock is behind by %v, want that of the sample that came at once", got)
		}
	})
}

func TestLogIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &Log{Name: "a log"}
		for range 3 {
			l.add(sampleAt(time.Now(), 1), time.Now(), true)
			time.Sleep(10 * time.Second)
		}
		moment := time.Now()
		go func() {
			time.Sleep(8 * time.Second)
			l.add(sampleAt(time.Now(), 2), time.Now(), true)
		}()
		if err := l.Await(t.Context(), moment); err != nil || !since(l, moment) {
			t.Errorf("no sample since, %v", err)
		}
		// The next one is overdue after 25 s, and then it goes on without.
		time.Sleep(time.Millisecond)
		moment = time.Now()
		if err := l.Await(t.Context(), moment); err != nil || since(l, moment) {
			t.Errorf("%v", err)
		}
		if waited := time.Since(moment); waited < 20*time.Second || waited > 26*time.Second {
			t.Errorf("waited %v for a log with a sample every 10 s", waited)
		}
		l.end(nil)
		moment = time.Now()
		if err := l.Await(t.Context(), moment); err != nil || time.Since(moment) > time.Second {
			t.Errorf("waited %v for a log that has ended, %v", time.Since(moment), err)
		}
		if trouble := l.Trouble(); !strings.Contains(trouble, "was cut off after") {
			t.Errorf("a log that ended: %q", trouble)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		l = &Log{Name: "another"}
		if err := l.Await(ctx, moment); err == nil {
			t.Error("a context that has ended does not end the wait")
		}
	})
}

// A file that grows: what was in it before the run says nothing about the run.
func TestLogFollowsAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "server.log")
	w, err := series.OpenAppend(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	write := func(kb int64) {
		t.Helper()
		if err := w.Write(sampleAt(time.Now(), kb)); err != nil {
			t.Fatal(err)
		}
	}
	write(1)
	l, err := OpenLog(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	copied := filepath.Join(t.TempDir(), "mem.log")
	stop, err := l.CopyTo(copied)
	if err != nil {
		t.Fatal(err)
	}
	moment := time.Now().Add(-2 * time.Second) // the log has whole seconds
	for end := time.Now().Add(20 * time.Second); !since(l, moment); {
		if time.Now().After(end) {
			t.Fatal("what is appended is not read")
		}
		write(2)
		time.Sleep(20 * time.Millisecond)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	text, _ := os.ReadFile(copied)
	if lines := string(text); !strings.Contains(lines, "\t2\t7\t") || strings.Contains(lines, "\t1\t7\t") || !strings.Contains(lines, "cpu_s=1.50") {
		t.Errorf("the copy is\n%swant the new samples alone", lines)
	}
	if u, ok := l.Since(moment)(false); !ok || u.RSS != result.Of(2*1024) {
		t.Errorf("%+v; want the new sample", u)
	}
}

func TestLogThatIsNone(t *testing.T) {
	l := &Log{Name: "a page"}
	l.follow(io.LimitReader(strings.NewReader("<html>\n<body>\n"), 100), func() bool { return true })
	if trouble := l.Trouble(); !strings.Contains(trouble, "a page") || !strings.Contains(trouble, "2 lines and no sample") {
		t.Errorf("%q", trouble)
	}
	if _, err := OpenLog(t.TempDir(), nil); err == nil || !strings.Contains(fmt.Sprint(err), "folder") {
		t.Errorf("a folder: %v", err)
	}
}

// A log that comes through a pipe is all new, and ends with it.
func TestLogFromAPipe(t *testing.T) {
	r, w := io.Pipe()
	l, err := OpenLog("-", r)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(w, "Thu Nov 26 18:00:00 UTC 2026\t%d\t5\t-\n", time.Now().Unix())
	moment := time.Now().Add(-time.Hour)
	if err := l.Await(t.Context(), moment); err != nil || !since(l, moment) {
		t.Errorf("no sample, %v", err)
	}
	u, _ := l.Since(moment)(false)
	if u.RSS != result.Of(5*1024) || u.CPU != (result.Figure{}) || u.Procs != (result.Figure{}) || u.Threads != (result.Figure{}) {
		t.Errorf("%+v; want what the line has, and null for the rest", u)
	}
	w.CloseWithError(errors.New("the connection broke"))
	for l.Trouble() == "" {
		time.Sleep(time.Millisecond)
	}
	if trouble := l.Trouble(); !strings.Contains(trouble, "standard input) was cut off after") || !strings.Contains(trouble, "the connection broke") {
		t.Errorf("%q", trouble)
	}
}

func TestLogCopyThatCannotBe(t *testing.T) {
	l := &Log{Name: "a log"}
	if _, err := l.CopyTo(filepath.Join(t.TempDir(), "none", "mem.log")); err == nil || !strings.Contains(err.Error(), "cannot be copied") {
		t.Errorf("%v", err)
	}
}

func TestLogForgetsOldSamples(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &Log{Name: "a log"}
		for i := range 2 * recentSamples {
			l.add(sampleAt(time.Now(), int64(i)), time.Now(), true)
			time.Sleep(time.Second)
		}
		if len(l.recent) != recentSamples || l.recent[recentSamples-1].RSSKB != 2*recentSamples-1 {
			t.Errorf("%d samples, the last %+v", len(l.recent), l.recent[len(l.recent)-1])
		}
		// One each second is overdue after three.
		begun := time.Now()
		if err := l.Await(t.Context(), begun); err != nil || time.Since(begun) > 4*time.Second {
			t.Errorf("waited %v for a log with a sample every second, %v", time.Since(begun), err)
		}
	})
}

// A log that was there before, and cannot be opened any more, has ended.
func TestLogThatGoes(t *testing.T) {
	l := &Log{Name: "a log"}
	l.followFile(filepath.Join(t.TempDir(), "none.log"), func(*os.File) { t.Error("followed") })
	if trouble := l.Trouble(); !strings.Contains(trouble, "brought no sample") || !strings.Contains(trouble, "none.log") {
		t.Errorf("%q", trouble)
	}
}

// fullDisk takes nothing.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

func TestLogCopyIsIncomplete(t *testing.T) {
	l := &Log{Name: "a log"}
	stop, err := l.CopyTo(filepath.Join(t.TempDir(), "mem.log"))
	if err != nil {
		t.Fatal(err)
	}
	l.out = series.NewWriter(fullDisk{})
	l.add(sampleAt(time.Now(), 1), time.Now(), true)
	for range 2 { // a second time says the same
		if err := stop(); err == nil || !strings.Contains(err.Error(), "is not complete") {
			t.Errorf("%v, want that some are missing", err)
		}
	}
}
