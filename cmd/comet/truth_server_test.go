//go:build system

package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A truthServer publishes and streams like the servers that bench measures, and
// harms messages on purpose. It keeps a log of each write, so that it knows
// what every figure of bench must be.
//
//	POST /pub/{id}   the body is a message to all streams of id
//	GET  /sub/{id}   a stream: head, history, then messages
type truthServer struct {
	faults faults
	addr   string
	open   atomic.Int64 // streams

	mu      sync.Mutex
	streams map[string][]*truthStream
	sent    []truthSent // accepted messages with a stamp
	seen    map[string]int
	first   time.Time // of the first stamped message
}

// faults say what happens to message n, counted from 0 over all of the run.
// The zero value harms none.
type faults struct {
	lose      func(n int) bool
	refuse    func(n int) bool // answered 503 and not taken
	duplicate func(n int) bool // written again behind the next message of the stream
	reorder   func(n int) bool // written behind the next message of the stream
	delay     func(n int) time.Duration
	skew      func(n int) time.Duration // added to the stamp: the generator's clock is ahead by it
	history   int                       // messages of an earlier run that each new stream gets first
	foreign   func(n int) bool          // another generator's message is written before it
	stallAt   time.Duration             // after the first message no stream is written to ...
	stallFor  time.Duration             // ... for this long
	cut       func(w io.Writer, text []byte) error
	head      string // of a stream; "" is chunked
}

type truthSent struct{ run, id string }

// truthStream is one subscriber.
type truthStream struct {
	id    string
	queue chan truthMessage
	held  []truthMessage // behind the next one
	log   []truthWrite   // what was written, in order
}

type truthMessage struct {
	at   time.Time // when it may be written
	text []byte
}

// truthWrite is a message on the socket.
type truthWrite struct {
	run, id string
	n       int
	due     time.Time
	at      time.Time // before the write
}

var truthStamp = regexp.MustCompile(` s=([0-9a-f]{8})\.([0-9]+)(?: f=([0-9]+))? t=([0-9]+)`)

func startTruth(t *testing.T, addr string, f faults) *truthServer {
	t.Helper()
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return startTruthOn(t, listener, f)
}

func startTruthOn(t *testing.T, listener net.Listener, f faults) *truthServer {
	t.Helper()
	s := &truthServer{faults: f, addr: listener.Addr().String(), streams: make(map[string][]*truthStream), seen: make(map[string]int)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /pub/{id}", s.publish)
	mux.HandleFunc("GET /sub/{id}", s.stream)
	server := &http.Server{Handler: mux}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return s
}

func (s *truthServer) publish(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := r.PathValue("id")
	stamp := truthStamp.FindSubmatch(text)
	if stamp == nil { // the warm-up's
		for _, stream := range s.streams[id] {
			stream.queue <- truthMessage{text: text}
		}
		w.WriteHeader(http.StatusCreated)
		return
	}
	if s.first.IsZero() {
		s.first = time.Now()
	}
	n := s.seen[""]
	s.seen[""]++
	if is(s.faults.refuse, n) {
		http.Error(w, "not now", http.StatusServiceUnavailable)
		return
	}
	s.sent = append(s.sent, truthSent{run: string(stamp[1]), id: id})
	for _, stream := range s.streams[id] {
		s.pass(stream, n, text)
	}
	w.WriteHeader(http.StatusCreated)
}

func is(fault func(int) bool, n int) bool { return fault != nil && fault(n) }

// pass gives message n to a stream, as the faults have it. s.mu must be held.
func (s *truthServer) pass(stream *truthStream, n int, text []byte) {
	if s.faults.skew != nil {
		text = shift(text, s.faults.skew(n))
	}
	m := truthMessage{text: text}
	if s.faults.delay != nil {
		m.at = time.Now().Add(s.faults.delay(n))
	}
	if is(s.faults.foreign, n) {
		other := fmt.Sprintf("Fake message Num = %d s=0badf00d.%d f=%s t=%d", n, n+1, stream.id, time.Now().Add(-time.Minute).UnixNano())
		stream.queue <- truthMessage{text: []byte(other)}
	}
	held := stream.held
	stream.held = nil
	switch {
	case is(s.faults.lose, n):
		stream.held = held
		return
	case is(s.faults.reorder, n):
		stream.held = append(stream.held, m)
	default:
		stream.queue <- m
		if is(s.faults.duplicate, n) {
			stream.held = append(stream.held, m)
		}
	}
	for _, late := range held {
		stream.queue <- late
	}
}

// shift moves the moment in a stamp.
func shift(text []byte, by time.Duration) []byte {
	at := truthStamp.FindSubmatchIndex(text)
	due, _ := strconv.ParseInt(string(text[at[8]:at[9]]), 10, 64)
	moved := strconv.AppendInt(slices.Clone(text[:at[8]]), due+int64(by), 10)
	return append(moved, text[at[9]:]...)
}

func (s *truthServer) stream(w http.ResponseWriter, r *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer conn.Close()
	s.open.Add(1)
	defer s.open.Add(-1)
	stream := &truthStream{id: r.PathValue("id"), queue: make(chan truthMessage, 1<<16)}
	s.mu.Lock()
	s.streams[stream.id] = append(s.streams[stream.id], stream)
	s.mu.Unlock()
	gone := make(chan struct{})
	go func() {
		io.Copy(io.Discard, conn)
		close(gone)
	}()
	head := cmp.Or(s.faults.head, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n")
	if _, err := io.WriteString(conn, head); err != nil {
		return
	}
	for n := range s.faults.history {
		old := fmt.Sprintf("Fake message Num = %d s=deadbeef.%d f=%s t=%d", n+1, n+1, stream.id, time.Now().Add(-time.Hour).UnixNano())
		s.write(conn, stream, []byte(old))
	}
	for {
		select {
		case m := <-stream.queue:
			s.pause(m.at)
			if s.write(conn, stream, m.text) != nil {
				return
			}
		case <-gone:
			s.mu.Lock()
			if s.first.IsZero() { // the warm-up's
				s.streams[stream.id] = slices.DeleteFunc(s.streams[stream.id], func(other *truthStream) bool { return other == stream })
			}
			s.mu.Unlock()
			return
		}
	}
}

// pause waits until a message may be written, and while all writing is stalled.
func (s *truthServer) pause(at time.Time) {
	time.Sleep(time.Until(at))
	s.mu.Lock()
	from := s.first.Add(s.faults.stallAt)
	s.mu.Unlock()
	if now := time.Now(); s.faults.stallFor > 0 && now.After(from) {
		time.Sleep(from.Add(s.faults.stallFor).Sub(now))
	}
}

// write puts a message on the socket, and into the log if it has a stamp.
func (s *truthServer) write(w io.Writer, stream *truthStream, text []byte) error {
	at := time.Now()
	cut := s.faults.cut
	if cut == nil {
		cut = oneChunk
	}
	err := cut(w, text)
	if stamp := truthStamp.FindSubmatch(text); stamp != nil && err == nil {
		n, _ := strconv.Atoi(string(stamp[2]))
		due, _ := strconv.ParseInt(string(stamp[4]), 10, 64)
		s.mu.Lock()
		defer s.mu.Unlock()
		stream.log = append(stream.log, truthWrite{run: string(stamp[1]), id: stream.id, n: n, due: time.Unix(0, due), at: at})
	}
	return err
}

// The ways to cut what is written.

func oneChunk(w io.Writer, text []byte) error {
	_, err := fmt.Fprintf(w, "%x\r\n%s\r\n", len(text), text)
	return err
}

// byteChunks makes a chunk of each byte.
func byteChunks(w io.Writer, text []byte) error {
	var b bytes.Buffer
	for _, c := range text {
		fmt.Fprintf(&b, "1\r\n%c\r\n", c)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// randomChunks cuts chunks, and segments in the midst of chunks and their heads.
func randomChunks(w io.Writer, text []byte) error {
	var b bytes.Buffer
	for len(text) > 0 {
		n := 1 + rand.IntN(min(len(text), 40))
		fmt.Fprintf(&b, "%x;ext=\"a\\\"b\"\r\n%s\r\n", n, text[:n])
		text = text[n:]
	}
	for all := b.Bytes(); len(all) > 0; {
		n := 1 + rand.IntN(min(len(all), 40))
		if _, err := w.Write(all[:n]); err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}

// unframed writes as HTTP/1.0 does, with a line break behind each message.
func unframed(w io.Writer, text []byte) error {
	_, err := w.Write(append(slices.Clip(text), '\n'))
	return err
}

// asEvent writes a server-sent event.
func asEvent(w io.Writer, text []byte) error {
	return oneChunk(w, fmt.Appendf(nil, "id: 1\ndata: %s\n\n", text))
}

// truth is what bench must have found.
type truth struct {
	sent, delivered, duplicated, reordered, missing, replayed, beforeDue int
	latency                                                              []time.Duration // of what was delivered, sorted
}

// found reads the log. Only the run that was published counts.
func (s *truthServer) found() (f truth) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.sent = len(s.sent)
	run := ""
	if f.sent > 0 {
		run = s.sent[0].run
	}
	for _, streams := range s.streams {
		for _, stream := range streams {
			came, highest := make(map[int]bool), 0
			for _, w := range stream.log {
				switch {
				case w.run != run:
					f.replayed++
					continue
				case came[w.n]:
					f.duplicated++
					continue
				case w.n < highest:
					f.reordered++
				}
				came[w.n], highest = true, max(highest, w.n)
				f.delivered++
				if late := w.at.Sub(w.due); late < 0 {
					f.beforeDue++
				} else {
					f.latency = append(f.latency, late)
				}
			}
		}
	}
	f.missing = s.expectedLocked() - f.delivered
	slices.Sort(f.latency)
	return f
}

// expectedLocked counts the deliveries that the sent messages make. s.mu must be
// held.
func (s *truthServer) expectedLocked() (n int) {
	for _, m := range s.sent {
		n += len(s.streams[m.id])
	}
	return n
}

// quantile returns the latency that a share q of the messages kept within.
func (f truth) quantile(q float64) time.Duration {
	if len(f.latency) == 0 {
		return 0
	}
	return f.latency[max(int(math.Ceil(q*float64(len(f.latency))))-1, 0)]
}
