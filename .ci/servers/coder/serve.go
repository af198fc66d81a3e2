package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

// server has the subscribers of each id, and counts.
type server struct {
	mu    sync.Mutex
	rooms map[string]map[*websocket.Conn]how

	connected, sent, pongs, handshakes atomic.Int64
}

// how a subscriber has its messages sent.
type how func(ctx context.Context, s *server, c *websocket.Conn, message []byte) error

var hows = map[string]how{"whole": whole, "fragments": fragments, "pings": pings}

// whole sends a message in one frame.
func whole(ctx context.Context, _ *server, c *websocket.Conn, message []byte) error {
	return c.Write(ctx, websocket.MessageText, message)
}

// fragments sends a message in a frame per 7 bytes, and an empty one at its end
// (RFC 6455, section 5.4).
func fragments(ctx context.Context, _ *server, c *websocket.Conn, message []byte) error {
	return inPieces(ctx, c, message, func() error { return nil })
}

// pings sends a message in fragments with a ping between them, of which each has
// to be answered before the next piece (section 5.5.2).
func pings(ctx context.Context, s *server, c *websocket.Conn, message []byte) error {
	return inPieces(ctx, c, message, func() error {
		err := c.Ping(ctx)
		if err == nil {
			s.pongs.Add(1)
		}
		return err
	})
}

func inPieces(ctx context.Context, c *websocket.Conn, message []byte, between func() error) error {
	w, err := c.Writer(ctx, websocket.MessageText)
	if err != nil {
		return err
	}
	for len(message) > 0 {
		n := min(len(message), 7)
		if _, err := w.Write(message[:n]); err != nil {
			return err
		}
		if err := between(); err != nil {
			return err
		}
		message = message[n:]
	}
	return w.Close()
}

func serve(addr string) error {
	s := &server{rooms: map[string]map[*websocket.Conn]how{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/sub/{how}/{id}", s.subscribe)
	mux.HandleFunc("/close/{code}", s.close)
	mux.HandleFunc("POST /pub/{id}", s.publish)
	mux.HandleFunc("GET /count", func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(map[string]int64{
			"connected": s.connected.Load(), "sent": s.sent.Load(), "pongs": s.pongs.Load(), "handshakes": s.handshakes.Load(),
		})
	})
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	fmt.Println("listening")
	return http.Serve(ln, mux)
}

// accept takes a WebSocket. Compression is there for who offers it.
func accept(w http.ResponseWriter, r *http.Request) (*websocket.Conn, error) {
	return websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: websocket.CompressionNoContextTakeover, Subprotocols: []string{"comet"}})
}

func (s *server) subscribe(w http.ResponseWriter, r *http.Request) {
	c, err := accept(w, r)
	if err != nil {
		return
	}
	id := r.PathValue("id")
	s.mu.Lock()
	if s.rooms[id] == nil {
		s.rooms[id] = map[*websocket.Conn]how{}
	}
	s.rooms[id][c] = hows[r.PathValue("how")]
	s.mu.Unlock()
	s.connected.Add(1)
	for err == nil { // an echo, but for what is only a sign of life
		var message []byte
		if _, message, err = c.Read(context.Background()); err == nil && string(message) != "alive" {
			err = c.Write(context.Background(), websocket.MessageText, message)
		}
	}
	s.mu.Lock()
	delete(s.rooms[id], c)
	s.mu.Unlock()
	s.connected.Add(-1)
	c.CloseNow()
}

// close ends a WebSocket with a code, and counts those that are answered in kind
// (RFC 6455, section 7.1.5).
func (s *server) close(w http.ResponseWriter, r *http.Request) {
	c, err := accept(w, r)
	if err != nil {
		return
	}
	code, _ := strconv.Atoi(r.PathValue("code"))
	if c.Close(websocket.StatusCode(code), "as asked") == nil {
		s.handshakes.Add(1)
	}
}

func (s *server) publish(w http.ResponseWriter, r *http.Request) {
	message, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
	defer cancel()
	for c, send := range s.rooms[r.PathValue("id")] {
		if err := send(ctx, s, c, message); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		s.sent.Add(1)
	}
}
