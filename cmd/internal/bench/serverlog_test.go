package bench

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.org/comet/memlog/series"
)

func sampleAt(at time.Time, rssKB int64) series.Sample {
	return series.Sample{Time: at, RSSKB: rssKB, Connections: 7, Fields: []series.Field{
		{Key: "cpu_s", Value: "1.50"}, {Key: "procs", Value: "3"}, {Key: "threads", Value: "3"},
	}}
}

func TestServerLogIsReadByItsOwnClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &serverLog{name: "a log"}
		if u := l.newest(time.Time{}); u != nil {
			t.Errorf("%+v before the first sample", u)
		}
		if trouble := l.trouble(); !strings.Contains(trouble, "brought no sample") {
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
		u := l.newest(taken)
		if u == nil || u.RSSBytes != 2000*1024 || u.CPU != 1500*time.Millisecond || u.Procs != 3 || u.Threads != 3 || u.Connections != 7 || u.PSSBytes != series.Unknown {
			t.Fatalf("%+v; want the second sample", u)
		}
		if u := l.newest(taken.Add(time.Millisecond)); u != nil {
			t.Errorf("%+v; want nothing: the sample is from before", u)
		}
		// One that was late is not taken for one of now.
		if late := add(5*time.Second, 3000); l.newest(late.Add(time.Second)) != nil {
			t.Error("a sample that was on its way for 5 s is taken for a new one")
		}
		if trouble := l.trouble(); trouble != "" {
			t.Errorf("trouble: %s", trouble)
		}
	})
}

func TestServerLogIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &serverLog{name: "a log"}
		for range 3 {
			l.add(sampleAt(time.Now(), 1), time.Now(), true)
			time.Sleep(10 * time.Second)
		}
		since := time.Now()
		go func() {
			time.Sleep(8 * time.Second)
			l.add(sampleAt(time.Now(), 2), time.Now(), true)
		}()
		if err := l.await(t.Context(), since); err != nil || l.newest(since) == nil {
			t.Errorf("no sample since, %v", err)
		}
		// The next one is overdue after 25 s, and then it goes on without.
		time.Sleep(time.Millisecond)
		since = time.Now()
		if err := l.await(t.Context(), since); err != nil || l.newest(since) != nil {
			t.Errorf("%v", err)
		}
		if waited := time.Since(since); waited < 20*time.Second || waited > 26*time.Second {
			t.Errorf("waited %v for a log with a sample every 10 s", waited)
		}
		l.end(nil)
		since = time.Now()
		if err := l.await(t.Context(), since); err != nil || time.Since(since) > time.Second {
			t.Errorf("waited %v for a log that has ended, %v", time.Since(since), err)
		}
		if trouble := l.trouble(); !strings.Contains(trouble, "was cut off after") {
			t.Errorf("a log that ended: %q", trouble)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		l = &serverLog{name: "another"}
		if err := l.await(ctx, since); err == nil {
			t.Error("a context that has ended does not end the wait")
		}
	})
}

// A file that grows: what was in it before the run says nothing about the run.
func TestServerLogFollowsAFile(t *testing.T) {
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
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	l, err := openServerLog(ctx, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "mem.log")
	stop, err := l.copyTo(copied)
	if err != nil {
		t.Fatal(err)
	}
	since := time.Now().Add(-2 * time.Second) // the log has whole seconds
	for end := time.Now().Add(20 * time.Second); l.newest(since) == nil; {
		if time.Now().After(end) {
			t.Fatal("what is appended is not read")
		}
		write(2)
		_ = wait(ctx, 20*time.Millisecond)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	text, _ := os.ReadFile(copied)
	if lines := string(text); !strings.Contains(lines, "\t2\t7\t") || strings.Contains(lines, "\t1\t7\t") || !strings.Contains(lines, "cpu_s=1.50") {
		t.Errorf("the copy is\n%swant the new samples alone", lines)
	}
	if u := l.newest(since); u == nil || u.RSSBytes != 2*1024 {
		t.Errorf("%+v; want the new sample", u)
	}
}

func TestServerLogThatIsNone(t *testing.T) {
	l := &serverLog{name: "a page"}
	l.follow(io.LimitReader(strings.NewReader("<html>\n<body>\n"), 100), func() bool { return true })
	if trouble := l.trouble(); !strings.Contains(trouble, "a page") || !strings.Contains(trouble, "2 lines and no sample") {
		t.Errorf("%q", trouble)
	}
	if _, err := openServerLog(t.Context(), t.TempDir(), nil); err == nil || !strings.Contains(fmt.Sprint(err), "folder") {
		t.Errorf("a folder: %v", err)
	}
}
