package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"example.org/comet/memlog"
	"example.org/comet/memlog/series"
)

// serverLog follows a memory log that `comet memlog` writes on the server's own
// host, and says what the server used. It is safe for concurrent use.
type serverLog struct {
	name string

	mu sync.Mutex
	// recent are the newest samples, up to recentSamples, oldest first.
	recent []series.Sample
	// behind is how much the clock of that host is behind ours, as the sample
	// shows that came soonest after it was taken; nil before the first.
	behind *time.Duration
	out    *series.Writer // gets a copy of each sample; nil for nobody
	lost   error          // why a copy is missing
	bad    int            // lines that are no samples
	ended  error          // why there are no more, nil while there may be
}

const recentSamples = 64

// openServerLog follows the file of that name, or stdin for "-", until ctx ends.
// Reading stdin cannot be cut short: what reads it lasts until its end.
func openServerLog(ctx context.Context, name string, stdin io.Reader) (*serverLog, error) {
	l := &serverLog{name: name}
	if name == "-" {
		l.name = "standard input"
		go l.follow(stdin, func() bool { return true })
		return l, nil
	}
	info, err := os.Stat(name)
	if err == nil && info.IsDir() {
		err = &fs.PathError{Op: "read", Path: name, Err: errors.New("it is a folder")}
	}
	if err != nil {
		return nil, fmt.Errorf("bench: the server's memory log: %w", err)
	}
	go func() {
		file, err := os.Open(name) // of a named pipe, waits for who writes it
		if err != nil {
			l.end(err)
			return
		}
		defer file.Close()
		if !info.Mode().IsRegular() {
			l.follow(file, func() bool { return true })
			return
		}
		growing := &tail{ctx: ctx, file: file}
		l.follow(growing, func() bool { return growing.caughtUp })
	}()
	return l, nil
}

// tail reads a file that grows, until ctx ends.
type tail struct {
	ctx      context.Context //nolint:containedctx // an io.Reader is given none
	file     io.Reader
	caughtUp bool // the end was seen: what comes now is new
}

func (t *tail) Read(p []byte) (int, error) {
	for {
		n, err := t.file.Read(p)
		if n > 0 || !errors.Is(err, io.EOF) {
			return n, err
		}
		t.caughtUp = true
		if wait(t.ctx, 100*time.Millisecond) != nil {
			return 0, io.EOF
		}
	}
}

// follow reads to the end. live tells whether a sample has only just come.
func (l *serverLog) follow(in io.Reader, live func() bool) {
	r := series.NewReader(in, l.name)
	for r.Scan() {
		if r.Malformed() != nil {
			l.mu.Lock()
			l.bad++
			l.mu.Unlock()
			continue
		}
		l.add(r.Sample(), time.Now(), live())
	}
	l.end(r.Err())
}

func (l *serverLog) end(err error) {
	if err == nil {
		err = errors.New("it has ended")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = err
}

// add takes a sample that was read now. One that was in a file before is left
// out: nothing tells how its time stands to ours.
func (l *serverLog) add(s series.Sample, now time.Time, live bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !live {
		return
	}
	if d := now.Sub(s.Time); l.behind == nil || d < *l.behind {
		l.behind = &d
	}
	l.recent = append(l.recent, s)
	if len(l.recent) > recentSamples {
		l.recent = slices.Delete(l.recent, 0, 1)
	}
	if l.out == nil {
		return
	}
	if err := l.out.Write(s); err != nil {
		l.lost = err
	}
}

// copyTo has each sample from now on copied to a log, until stop is called,
// which returns an error if that failed.
func (l *serverLog) copyTo(path string) (stop func() error, err error) {
	out, err := series.OpenAppend(path)
	if err != nil {
		return nil, fmt.Errorf("bench: the server's memory log cannot be copied: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.out, l.lost = out, nil
	return sync.OnceValue(func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.out = nil
		if err := errors.Join(l.lost, out.Close()); err != nil {
			return fmt.Errorf("bench: the copy of the server's memory log is not complete: %w", err)
		}
		return nil
	}), nil
}

// newest is the last sample, nil if that was taken before since.
func (l *serverLog) newest(since time.Time) *memlog.Usage {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.recent) == 0 || l.takenLocked(l.recent[len(l.recent)-1]).Before(since) {
		return nil
	}
	return usageOf(l.recent[len(l.recent)-1])
}

// takenLocked is when a sample was taken, by our clock. l.mu must be held.
func (l *serverLog) takenLocked(s series.Sample) time.Time { return s.Time.Add(*l.behind) }

// await waits until there is a sample since a moment. It gives up when there
// will be none: the log has ended, or is overdue.
func (l *serverLog) await(ctx context.Context, since time.Time) error {
	for begun := time.Now(); ; {
		l.mu.Lock()
		overdue, ended := l.overdueLocked(), l.ended
		l.mu.Unlock()
		if l.newest(since) != nil || ended != nil || time.Since(begun) > overdue {
			return nil
		}
		if err := wait(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}

// overdueLocked is how long a sample may be waited for: two and a half
// intervals, as a drawn line breaks there. l.mu must be held.
func (l *serverLog) overdueLocked() time.Duration {
	const unknown, least = 15 * time.Second, 3 * time.Second
	if len(l.recent) < 2 {
		return unknown
	}
	gaps := make([]time.Duration, 0, len(l.recent)-1)
	for i := range len(l.recent) - 1 {
		gaps = append(gaps, l.recent[i+1].Time.Sub(l.recent[i].Time))
	}
	slices.Sort(gaps)
	return max(gaps[len(gaps)/2]*5/2, least)
}

// trouble says in a sentence what is wrong with the log, "" if nothing is.
func (l *serverLog) trouble() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var text bytes.Buffer
	switch {
	case len(l.recent) == 0 && l.bad > 0:
		fmt.Fprintf(&text, "the server's memory log (%s) has %d lines and no sample among them: it must be one of comet memlog's", l.name, l.bad)
	case len(l.recent) == 0:
		fmt.Fprintf(&text, "the server's memory log (%s) brought no sample while the run went on", l.name)
	case l.ended != nil:
		fmt.Fprintf(&text, "the server's memory log (%s) was cut off after %s", l.name, l.recent[len(l.recent)-1].Time.Format(time.DateTime))
	}
	if l.ended != nil && text.Len() > 0 {
		fmt.Fprintf(&text, ": %v", l.ended)
	}
	return text.String()
}

// usageOf is a sample as what was measured here.
func usageOf(s series.Sample) *memlog.Usage {
	number := func(key string) int64 {
		n, ok := s.Number(key)
		if !ok {
			return series.Unknown
		}
		return int64(n)
	}
	bytes := func(kb int64) int64 {
		if kb == series.Unknown {
			return kb
		}
		return kb * 1024
	}
	u := &memlog.Usage{
		Time: s.Time, RSSBytes: bytes(s.RSSKB), PSSBytes: bytes(number("pss_kb")), CPU: -1,
		Files: number("fds"), Threads: number("threads"), Connections: s.Connections, Procs: int(max(number("procs"), 0)),
	}
	if seconds, ok := s.Number("cpu_s"); ok {
		u.CPU = time.Duration(seconds * float64(time.Second))
	}
	return u
}
