package probe

import (
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

// Log follows a memory log that `comet memlog` writes on another host, and knows
// from it what the server there uses. It is safe for concurrent use.
type Log struct {
	// Name is the file, or "standard input".
	Name string

	stop func() // ends following a file, and waits for that

	mu sync.Mutex
	// recent are the newest samples, up to recentSamples, oldest first.
	recent []series.Sample
	// behind is how far the clock of that host is behind ours, by the sample that
	// came soonest after it was taken; nil before the first.
	behind *time.Duration
	out    *series.Writer // gets a copy of each sample unless nil
	lost   error          // why a copy is missing
	bad    int            // lines that are not samples
	ended  error          // why there are no more, nil while there may be
}

const recentSamples = 64

// OpenLog follows the file of that name, or stdin for "-", until Close. It uses
// only what is appended from now on. What reads stdin, or a named pipe, lasts
// until that ends: such a read cannot be cut short.
func OpenLog(name string, stdin io.Reader) (*Log, error) {
	l := &Log{Name: name, stop: func() {}}
	always := func() bool { return true }
	if name == "-" {
		l.Name = "standard input"
		go l.follow(stdin, always)
		return l, nil
	}
	info, err := os.Stat(name)
	if err == nil && info.IsDir() {
		err = &fs.PathError{Op: "read", Path: name, Err: errors.New("it is a folder")}
	}
	if err != nil {
		return nil, fmt.Errorf("probe: the server's memory log: %w", err)
	}
	if !info.Mode().IsRegular() {
		go l.followFile(name, func(f *os.File) { l.follow(f, always) })
		return l, nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	var follower sync.WaitGroup
	follower.Go(func() {
		l.followFile(name, func(f *os.File) {
			growing := &tail{ctx: ctx, file: f}
			l.follow(growing, func() bool { return growing.caughtUp })
		})
	})
	l.stop = func() {
		cancel()
		follower.Wait()
	}
	return l, nil
}

// Close stops following a file.
func (l *Log) Close() { l.stop() }

// followFile opens a file, which of a named pipe waits for its writer.
func (l *Log) followFile(name string, follow func(*os.File)) {
	file, err := os.Open(name)
	if err != nil {
		l.end(err)
		return
	}
	defer file.Close()
	follow(file)
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
		if pause(t.ctx, 100*time.Millisecond) != nil {
			return 0, io.EOF
		}
	}
}

// pause waits for d, unless ctx ends first: then it returns its cause.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// follow reads to the end. live reports whether a sample has only just come.
func (l *Log) follow(in io.Reader, live func() bool) {
	r := series.NewReader(in, l.Name)
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

func (l *Log) end(err error) {
	if err == nil {
		err = errors.New("it has ended")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = err
}

// add takes a sample that was read now. It leaves out one that was in a file
// before: how its time compares to ours is unknown.
func (l *Log) add(s series.Sample, now time.Time, live bool) {
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

// CopyTo copies each sample from now on to a log, until stop is called, which
// returns an error if some are missing.
func (l *Log) CopyTo(path string) (stop func() error, err error) {
	out, err := series.OpenAppend(path)
	if err != nil {
		return nil, fmt.Errorf("probe: the server's memory log cannot be copied: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.out, l.lost = out, nil
	return sync.OnceValue(func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.out = nil
		if err := errors.Join(l.lost, out.Close()); err != nil {
			return fmt.Errorf("probe: the copy of the server's memory log is not complete: %w", err)
		}
		return nil
	}), nil
}

// Behind returns how far the clock of that host is behind ours, with what the soonest sample
// took to come; 0 before the first.
func (l *Log) Behind() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.behind == nil {
		return 0
	}
	return *l.behind
}

// Since returns a reading of the last sample that was taken since a moment.
func (l *Log) Since(since time.Time) Reading {
	return func(bool) (Usage, bool) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if len(l.recent) == 0 {
			return Usage{}, false
		}
		last := l.recent[len(l.recent)-1]
		if last.Time.Add(*l.behind).Before(since) {
			return Usage{}, false
		}
		return usageOf(sampled(last)), true
	}
}

// Await waits for a sample that was taken since a moment. It gives up when there
// will be none, because the log has ended or is overdue.
func (l *Log) Await(ctx context.Context, since time.Time) error {
	for begun := time.Now(); ; {
		l.mu.Lock()
		overdue, ended := l.overdueLocked(), l.ended
		l.mu.Unlock()
		if _, there := l.Since(since)(false); there || ended != nil || time.Since(begun) > overdue {
			return nil
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}

// overdueLocked returns how long to wait for a sample: two and a half intervals,
// as a drawn line breaks there. l.mu must be held.
func (l *Log) overdueLocked() time.Duration {
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

// Trouble returns a sentence about what is wrong with the log, "" if nothing is.
func (l *Log) Trouble() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	sentence := ""
	switch {
	case len(l.recent) == 0 && l.bad > 0:
		sentence = fmt.Sprintf("the server's memory log (%s) has %d lines and no sample among them: it must be one of comet memlog's", l.Name, l.bad)
	case len(l.recent) == 0:
		sentence = fmt.Sprintf("the server's memory log (%s) brought no sample during the run", l.Name)
	case l.ended != nil:
		sentence = fmt.Sprintf("the server's memory log (%s) was cut off after %s", l.Name, l.recent[len(l.recent)-1].Time.Format(time.DateTime))
	}
	if l.ended != nil && sentence != "" {
		sentence += fmt.Sprintf(": %v", l.ended)
	}
	return sentence
}

// sampled converts a line of a log to what memlog measures here.
func sampled(s series.Sample) memlog.Usage {
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
	u := memlog.Usage{
		Time: s.Time, RSSBytes: bytes(s.RSSKB), PSSBytes: bytes(number("pss_kb")), CPU: -1,
		Threads: number("threads"), Procs: int(max(number("procs"), 0)),
	}
	if seconds, ok := s.Number("cpu_s"); ok {
		u.CPU = time.Duration(seconds * float64(time.Second))
	}
	return u
}
