package msggen

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// lane is one connection of a [PublishSender] and the messages that wait for
// it. Its goroutine connects and reads the answers; a request is written by
// whoever finds the connection free with a message waiting: the generator's
// goroutine when the message is due, which no other goroutine need be woken
// for, or the lane's own after an answer.
type lane struct {
	sender *PublishSender
	// wake has an entry when a message came while there was no connection.
	wake chan struct{}

	mu    sync.Mutex
	queue []pending // guarded by mu, like all that follows; the first is next
	spare [][]byte  // buffers of requests
	conn  net.Conn  // nil while there is none
	busy  bool      // a request has no answer yet
	asked int64     // whom that was for
	given bool      // something was added since the last kick
}

// pending is a message that waits for its turn.
type pending struct {
	id      int64
	request []byte
	due     time.Time // zero without a pace
}

// maxSpare is how many buffers a lane keeps, and maxSpareSize how large ones.
const maxSpare, maxSpareSize = 64, 16 << 10

// add has a message wait, and tells whether it is the first since the last kick.
func (l *lane) add(id int64, message []byte, due time.Time) (first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var buffer []byte
	if n := len(l.spare); n > 0 {
		buffer, l.spare = l.spare[n-1], l.spare[:n-1]
	}
	l.queue = append(l.queue, pending{id, l.sender.template.append(buffer[:0], id, message), due})
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

// writeLocked writes the next request if the connection is free. If that fails,
// the connection is closed, and who reads it sees to the rest.
func (l *lane) writeLocked() {
	if l.conn == nil || l.busy || len(l.queue) == 0 {
		return
	}
	next := l.queue[0]
	l.conn.SetDeadline(time.Now().Add(l.sender.config.AnswerTimeout))
	n, err := l.conn.Write(next.request)
	if err != nil {
		l.conn.Close()
		l.conn = nil
		if n == 0 {
			return // it had gone before: the message waits for the next one
		}
	}
	l.queue = l.queue[1:]
	if len(l.spare) < maxSpare && cap(next.request) <= maxSpareSize {
		l.spare = append(l.spare, next.request)
	}
	l.busy, l.asked = true, next.id
	l.sender.wrote(next.due)
}

// run keeps a connection, conn at first, until ctx ends or none can be had.
func (l *lane) run(ctx context.Context, conn net.Conn) {
	for {
		l.serve(ctx, conn)
		var err error
		if !l.needed(ctx) {
			return
		}
		if conn, err = l.sender.dial(ctx); err != nil {
			if ctx.Err() == nil {
				l.sender.fail(err)
			}
			return
		}
	}
}

// needed waits for a message, and is false when ctx has ended.
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

// serve sends what waits over conn and reads the answers, until it ends.
func (l *lane) serve(ctx context.Context, conn net.Conn) {
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	defer conn.Close()
	l.mu.Lock()
	l.conn = conn
	l.writeLocked()
	l.mu.Unlock()
	// The limit is renewed with each answer: no answer can fill the memory.
	limited := &io.LimitedReader{R: conn}
	reader := bufio.NewReader(limited)
	for {
		limited.N = maxReply
		resp, text, err := readAnswer(reader, l.sender.template.method)
		l.mu.Lock()
		busy, asked := l.busy, l.asked
		l.busy = false
		over := err != nil || resp.Close || !busy // an answer to no request says goodbye
		if over {
			l.conn = nil
		} else if l.writeLocked(); !l.busy && l.conn != nil {
			l.conn.SetDeadline(time.Time{})
		}
		l.mu.Unlock()
		switch {
		case busy && errors.Is(err, os.ErrDeadlineExceeded):
			l.sender.lost(asked, fmt.Errorf("no answer after %v", l.sender.config.AnswerTimeout))
		case busy && err != nil:
			l.sender.lost(asked, err)
		case busy:
			l.sender.answered(asked, resp, text)
		}
		if over {
			return
		}
	}
}

// drop gives up what waits; the lane's goroutine has ended.
func (l *lane) drop() {
	l.mu.Lock()
	n := len(l.queue)
	l.queue, l.given = nil, false
	l.mu.Unlock()
	if n > 0 {
		l.sender.dropped(n)
	}
}

// maxReply bounds an answer: its head and what is read of its body.
const maxReply = 1 << 20

// readAnswer reads an answer to the end, so that the connection can be used
// again. text is the beginning of its body if it is no 2xx.
func readAnswer(reader *bufio.Reader, method string) (resp *http.Response, text []byte, err error) {
	request := &http.Request{Method: method} // HEAD has no body
	for {
		if resp, err = http.ReadResponse(reader, request); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				err = errors.New("the server closed the connection")
			}
			return nil, nil, err
		}
		if resp.StatusCode < 100 || resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
			break
		}
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode >= 300 {
		if text, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer)); err != nil {
			return nil, nil, err
		}
	}
	if _, err = io.Copy(io.Discard, resp.Body); err != nil {
		return nil, nil, err
	}
	return resp, text, nil
}
