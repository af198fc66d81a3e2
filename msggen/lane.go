package msggen

import (
	"context"
	"net"
	"sync"
	"time"
)

// lane is one connection of a [PublishSender] and the messages that wait for
// it. Its goroutine connects and reads the answers. A request is written by
// whoever finds the connection free and a message waiting: the generator's
// goroutine when the message is due, which saves waking another one, or the
// lane's own after an answer.
type lane struct {
	sender *PublishSender
	// wake has an entry when a message came while there was no connection.
	wake chan struct{}

	mu sync.Mutex
	// queue holds the messages without an answer; while busy, the first one is
	// under way. It is guarded by mu, like all that follows.
	queue []pending
	spare [][]byte // buffers of messages
	conn  net.Conn // nil while there is none
	busy  bool     // a request has no answer yet
	fresh bool     // conn was made for the request under way
	given bool     // something was added since the last kick
	// request is the request under way, and writing is not nil if a goroutine of
	// its own writes it.
	request []byte
	writing *writing
}

// pending is a message that has no answer yet.
type pending struct {
	id      int64
	message []byte
	due     time.Time // zero without a pace
	stamped bool      // the moment in its stamp is set when it is written
	tries   int
	written time.Time // the last time
}

// writing is the writing of a request that may not fit into the socket.
type writing struct {
	done chan struct{}
	cut  bool // not all of it was written; read after done
}

const (
	// maxSpare is how many buffers a lane keeps, and maxSpareSize how large ones.
	maxSpare, maxSpareSize = 64, 16 << 10
	// maxInline is the longest request that is written without a goroutine: an
	// empty socket takes it whole.
	maxInline = 8 << 10
	// maxTries bounds how often a message is written.
	maxTries = 3
)

// add has a message wait, and reports whether it is the first since the last
// kick.
func (l *lane) add(p pending) (first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var buffer []byte
	if n := len(l.spare); n > 0 {
		buffer, l.spare = l.spare[n-1], l.spare[:n-1]
	}
	p.message = append(buffer[:0], p.message...)
	l.queue = append(l.queue, p)
	first, l.given = !l.given, true
	return first
}

// kick sends the first message that waits, if it can.
func (l *lane) kick() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.given = false
	l.writeLocked()
	if l.conn == nil && len(l.queue) > 0 {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

// writeLocked writes the next request if the connection is free. Where the peer
// has closed it already, it is left, and the message waits for the next one.
func (l *lane) writeLocked() {
	if l.conn == nil || l.busy || len(l.queue) == 0 {
		return
	}
	if !l.fresh && peerGone(l.conn) {
		l.leaveLocked()
		return
	}
	next := &l.queue[0]
	next.written = time.Now()
	if next.stamped {
		restamp(next.message, next.written)
	}
	l.request = l.sender.template.append(l.request[:0], next.id, next.message)
	l.conn.SetDeadline(next.written.Add(l.sender.config.AnswerTimeout))
	if len(l.request) > maxInline {
		l.writeAsideLocked()
	} else if n, err := l.conn.Write(l.request); err != nil {
		if n == 0 && !l.fresh {
			l.leaveLocked()
			return
		}
		l.writing = cutWriting()
	}
	l.busy = true
	next.tries++
	if next.tries == 1 {
		l.sender.wrote()
	}
}

// writeAsideLocked writes the request in a goroutine, so that a peer which does
// not read holds up nobody. An error is left to who reads the connection: there
// may be an answer.
func (l *lane) writeAsideLocked() {
	w := &writing{done: make(chan struct{})}
	l.writing = w
	conn, request := l.conn, l.request
	go func() {
		defer close(w.done)
		_, err := conn.Write(request)
		w.cut = err != nil
	}()
}

// cutWriting returns a writing that ended before all was written.
func cutWriting() *writing {
	w := &writing{done: make(chan struct{}), cut: true}
	close(w.done)
	return w
}

// leaveLocked closes the connection; who reads it notices.
func (l *lane) leaveLocked() {
	l.conn.Close()
	l.conn = nil
}

// popLocked takes the first message out of the queue.
func (l *lane) popLocked() pending {
	first := l.queue[0]
	l.queue = l.queue[1:]
	if len(l.spare) < maxSpare && cap(first.message) <= maxSpareSize {
		l.spare = append(l.spare, first.message)
	}
	return first
}

// run keeps a connection, conn at first, until ctx ends or none can be had.
func (l *lane) run(ctx context.Context, conn net.Conn) {
	for {
		l.serve(ctx, conn)
		if !l.needed(ctx) {
			return
		}
		if conn = l.connect(ctx); conn == nil {
			return
		}
	}
}

// connect returns a new connection, or nil when ctx has ended or the server
// cannot be reached. While other lanes get answers, it can.
func (l *lane) connect(ctx context.Context) net.Conn {
	const pause = 100 * time.Millisecond
	for {
		before := l.sender.progress()
		conn, err := l.sender.dial(ctx)
		switch {
		case err == nil:
			return conn
		case ctx.Err() != nil:
			return nil
		case l.sender.progress() == before:
			l.sender.fail(err)
			return nil
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
	}
}

// needed waits for a message, and returns false when ctx has ended.
func (l *lane) needed(ctx context.Context) bool {
	for ctx.Err() == nil {
		l.mu.Lock()
		waiting := len(l.queue)
		l.mu.Unlock()
		if waiting > 0 {
			return true
		}
		select {
		case <-l.wake:
		case <-ctx.Done():
		}
	}
	return false
}

// drop gives up what waits; the lane's goroutine has ended.
func (l *lane) drop() {
	l.mu.Lock()
	dropped := l.queue
	l.queue, l.given = nil, false
	l.mu.Unlock()
	if len(dropped) > 0 {
		l.sender.dropped(dropped)
	}
}
