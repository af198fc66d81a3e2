package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"
)

// child is one process of the experiment.
type child struct {
	name     string
	cmd      *exec.Cmd
	stdin    io.WriteCloser
	onSample func(line []byte) // called for each line of type "sample"
	progress *progress

	done chan struct{} // closed when the process has ended and was read out
	err  error         // how it ended; set before done is closed

	mu      sync.Mutex
	lines   map[string][]byte // the last line of each other type
	changed chan struct{}     // closed and replaced when lines changes
	words   []string          // the last lines of its standard error
}

// patience is how long a part may take for what it does at once.
const patience = 20 * time.Second

// stopPatience is how long a part may take to end when it is asked to: longer than
// the server drains. Tests shorten it.
var stopPatience = patience

// alone is the number of the pair of a part that is in none.
const alone = -1

// lastWords is how many lines of a child's standard error are kept.
const lastWords = 8

// spawn starts a part. It gets a process group of its own, so that Ctrl-C
// reaches bench alone, which ends the parts in their order. pair is the number of
// the pair it belongs to, alone if to none.
func (e *experiment) spawn(pair int, onSample func([]byte), name string, args ...string) (*child, error) {
	c := &child{
		name:     name,
		cmd:      exec.Command(e.cfg.Executable, append([]string{name, "-q"}, args...)...), //nolint:noctx // ended by its standard input
		onSample: onSample,
		progress: e.progress,
		done:     make(chan struct{}),
		lines:    make(map[string][]byte),
		changed:  make(chan struct{}),
	}
	c.cmd.SysProcAttr = ownGroup()
	stdin, err1 := c.cmd.StdinPipe()
	stdout, err2 := c.cmd.StdoutPipe()
	stderr, err3 := c.cmd.StderrPipe()
	run := c.cmd.Start
	if e.several() && pair != alone {
		// Of many processes on few processors each has work for one at the most.
		c.cmd.Env = append(c.cmd.Environ(), fmt.Sprintf("GOMAXPROCS=%d", max(runtime.NumCPU()/len(e.plan.pairs), 1)))
		run = func() error { return asBatch(c.cmd.Start) }
		if e.crowded() {
			run = func() error { return stayWith(pair, func() error { return asBatch(c.cmd.Start) }) }
		}
	}
	if err := errors.Join(err1, err2, err3, run()); err != nil {
		return nil, fmt.Errorf("bench: cannot start comet %s: %w", name, err)
	}
	c.stdin = stdin
	go func() {
		var readers sync.WaitGroup
		readers.Go(func() { c.listen(stdout) })
		readers.Go(func() { c.hear(stderr) })
		readers.Wait()
		c.err = c.cmd.Wait()
		close(c.done)
	}()
	return c, nil
}

// crowded tells whether every processor has very many pairs with as much work as
// they can do. Then there is always one to run, and a pair that moves from one
// processor to another only costs. With less to do, or fewer to share out, a
// message would wait for a busy processor beside one that is idle.
func (e *experiment) crowded() bool {
	return e.cfg.Rate == "max" && e.cfg.Target == nil && len(e.plan.pairs) >= 16*runtime.NumCPU()
}

func (c *child) pid() int32 { return int32(c.cmd.Process.Pid) }

// listen sorts the JSON lines of standard output.
func (c *child) listen(stdout io.Reader) {
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Bytes()
		var head struct{ Type string }
		if json.Unmarshal(line, &head) != nil {
			continue // not for us
		}
		if head.Type == "sample" {
			if c.onSample != nil {
				c.onSample(line)
			}
			continue
		}
		c.mu.Lock()
		c.lines[head.Type] = bytes.Clone(line)
		close(c.changed)
		c.changed = make(chan struct{})
		c.mu.Unlock()
	}
	_, _ = io.Copy(io.Discard, stdout) // after a line too long to be ours
}

// hear passes on what a part complains of, and keeps the end of it.
func (c *child) hear(stderr io.Reader) {
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		c.mu.Lock()
		c.words = append(c.words, lines.Text())
		if len(c.words) > lastWords {
			c.words = c.words[1:]
		}
		c.mu.Unlock()
		c.progress.line("%s: %s", c.name, lines.Text())
	}
	_, _ = io.Copy(io.Discard, stderr)
}

// await waits for a line of the given type and reads it into v, unless that is
// nil. A limit of 0 is none.
func (c *child) await(ctx context.Context, kind string, limit time.Duration, v any) error {
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit,
			fmt.Errorf("bench: comet %s did not say %q within %v", c.name, kind, limit))
		defer cancel()
	}
	for {
		c.mu.Lock()
		line, changed := c.lines[kind], c.changed
		c.mu.Unlock()
		if line != nil {
			if v == nil {
				return nil
			}
			return json.Unmarshal(line, v)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-c.done:
			c.mu.Lock()
			line = c.lines[kind]
			c.mu.Unlock()
			if line == nil {
				return c.lost()
			}
		}
	}
}

// lost is the error that the process ended when it should not have.
func (c *child) lost() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	how := "without an error"
	if c.err != nil {
		how = c.err.Error()
	}
	if len(c.words) == 0 {
		return fmt.Errorf("bench: comet %s (pid %d) ended (%s) and said nothing", c.name, c.pid(), how)
	}
	return fmt.Errorf("bench: comet %s (pid %d) ended (%s); its last words:\n  %s", c.name, c.pid(), how, strings.Join(c.words, "\n  "))
}

// cpu is the processor time that the process used; it must have ended.
func (c *child) cpu() time.Duration {
	return c.cmd.ProcessState.UserTime() + c.cmd.ProcessState.SystemTime()
}

// stop ends the process: asks it to, waits, and kills it if it does not. It
// returns an error if it did not end well.
func (c *child) stop(limit time.Duration) error {
	c.stdin.Close()
	select {
	case <-c.done:
	case <-time.After(limit):
		_ = c.cmd.Process.Kill() // it may have ended just now
		<-c.done
		return fmt.Errorf("bench: comet %s (pid %d) did not end within %v and was killed", c.name, c.pid(), limit)
	}
	if c.err != nil {
		return c.lost()
	}
	return nil
}
