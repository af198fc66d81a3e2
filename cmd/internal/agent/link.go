package agent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// mostText is the longest text of a frame. NATS takes a megabyte at once, unless it was
// told otherwise.
const mostText = 64 << 10

// mostPending bounds what waits to be taken from the connection.
const mostPending = 256 << 20

// link is one side of a session: frames go out to one subject, and come in on another.
type link struct {
	conn *nats.Conn
	to   string
	// take is called with each frame that comes, one after the other.
	take func(frame)
	// broken is called once, with why the session cannot go on.
	broken func(error)
	rhythm
	whom string // is waited for

	subscription *nats.Subscription
	done         chan struct{}
	watching     sync.WaitGroup

	mu      sync.Mutex
	sent    uint64
	taken   uint64
	heard   time.Time // when the last frame came
	failed  bool
	stopped bool
}

// open begins to take frames from a subject, and to watch that they come. beat returns
// the one that is sent each second.
func (l *link) open(from string, beat func() frame) (err error) {
	l.done, l.heard = make(chan struct{}), time.Now()
	if l.subscription, err = l.conn.Subscribe(from, l.receive); err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	if err = errors.Join(l.subscription.SetPendingLimits(-1, mostPending), l.conn.FlushTimeout(routerPatience)); err != nil {
		_ = l.subscription.Unsubscribe()
		return fmt.Errorf("agent: the router does not answer: %w", err)
	}
	l.watching.Go(func() { l.watch(beat) })
	return nil
}

// watch beats, and notices when nothing comes. After a time in which this process itself
// did not run, it gives what has come meanwhile time to be taken.
func (l *link) watch(beat func() frame) {
	ticker := time.NewTicker(l.every)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-ticker.C:
		case <-l.done:
			return
		}
		now := time.Now()
		l.mu.Lock()
		if now.Sub(last) > 3*l.every {
			l.heard = now
		}
		silent := now.Sub(l.heard)
		l.mu.Unlock()
		last = now
		if silent > l.patience {
			l.fail(fmt.Errorf("%s has not been heard of for %v", l.whom, l.patience))
			return
		}
		l.send(beat())
	}
}

// send sends a frame. If that fails the session does.
func (l *link) send(f frame) {
	l.mu.Lock()
	if l.failed || l.stopped {
		l.mu.Unlock()
		return
	}
	l.sent++
	f.N = l.sent
	head, err := json.Marshal(f)
	if err == nil {
		err = l.conn.Publish(l.to, append(append(head, '\n'), f.text...))
	}
	l.mu.Unlock()
	if err != nil {
		l.fail(fmt.Errorf("%s cannot be reached, for the router is gone: %w", l.whom, err))
	}
}

// sendText sends a text in as many frames as it takes.
func (l *link) sendText(f frame, text []byte) {
	for len(text) > 0 {
		n := min(len(text), mostText)
		f.text, text = text[:n], text[n:]
		l.send(f)
	}
}

var errFrame = errors.New("it is no frame of a session")

// receive takes a message of NATS.
func (l *link) receive(m *nats.Msg) {
	var f frame
	head, text, found := bytes.Cut(m.Data, []byte("\n"))
	err := json.Unmarshal(head, &f)
	if err != nil || !found {
		err = errFrame
	}
	l.mu.Lock()
	if l.failed || l.stopped {
		l.mu.Unlock()
		return
	}
	if err == nil && f.N != l.taken+1 {
		err = fmt.Errorf("of what it said something was lost on the way (%d came after %d)", f.N, l.taken)
	}
	l.taken, l.heard = f.N, time.Now()
	l.mu.Unlock()
	if err != nil {
		l.fail(fmt.Errorf("%s: %w", l.whom, err))
		return
	}
	f.text = text
	l.take(f)
}

// fail ends the session with an error, once.
func (l *link) fail(err error) {
	l.mu.Lock()
	already := l.failed || l.stopped
	l.failed = true
	l.mu.Unlock()
	if !already {
		l.broken(err)
	}
}

// close ends the session in order. It must not be called by take or broken.
func (l *link) close() {
	l.mu.Lock()
	l.stopped = true
	l.mu.Unlock()
	_ = l.subscription.Unsubscribe() // the connection may be gone
	close(l.done)
	l.watching.Wait()
}
