package server

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"example.org/comet/server/wire"
)

// maxMessage is the longest message that is taken, in bytes.
const maxMessage = 1 << 20

// admin is the listener for messages and questions.
type admin struct {
	server *Server
	http   http.Server
	// stop ends when no more messages are taken: before the engine drains.
	stop context.Context
	// intake is read-locked by each request that publishes, so that the engine
	// can wait for what they still have to hand over.
	intake sync.RWMutex
	// hangingUp counts the connections that hangUp has in its hands.
	hangingUp sync.WaitGroup
}

func newAdmin(ctx context.Context, s *Server) *admin {
	a := &admin{server: s, stop: ctx}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /send/{id}", a.sendOne)
	mux.HandleFunc("POST /send", a.sendStream)
	mux.HandleFunc("GET /{$}", a.page)
	mux.HandleFunc("GET /stats", a.stats)
	mux.HandleFunc("GET /metrics", a.metrics)
	mux.HandleFunc("POST /gc", a.gc)
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	open := http.NewServeMux()
	open.HandleFunc("GET /healthz", a.healthz)
	open.HandleFunc("GET /readyz", a.readyz)
	// A web page that someone on this machine looks at must not be able to send.
	open.Handle("/", http.NewCrossOriginProtection().Handler(a.authorized(mux)))
	a.http = http.Server{
		Handler:           open,
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(s.core.Logger.Handler(), slog.LevelWarn),
	}
	return a
}

func (a *admin) serve(ln net.Listener) error {
	if err := a.http.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// intakeEnded returns a context that ends after ctx, when no request publishes
// any more.
func (a *admin) intakeEnded(ctx context.Context) context.Context {
	ended, end := context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		<-ctx.Done()
		a.intake.Lock()
		end()
		a.intake.Unlock()
	}()
	return ended
}

func (a *admin) shutdown() error {
	defer a.hangingUp.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := a.http.Shutdown(ctx); err != nil {
		return a.http.Close() // a client that does not go, such as a running profile
	}
	return nil
}

func (a *admin) authorized(next http.Handler) http.Handler {
	token := a.server.core.AdminToken
	if token == "" {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || subtle.ConstantTimeCompare([]byte(given), []byte(token)) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			reply(w, http.StatusUnauthorized, problem{"this listener wants its token: Authorization: Bearer TOKEN"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// problem is the body of an answer that is not what was asked for.
type problem struct {
	Error string `json:"error"`
}

func reply(w http.ResponseWriter, code int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	text = append(text, '\n')
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(code)
	_, _ = w.Write(text) // an error is a client that is gone
}

func (a *admin) healthz(w http.ResponseWriter, _ *http.Request) {
	_, _ = io.WriteString(w, "ok\n")
}

func (a *admin) readyz(w http.ResponseWriter, _ *http.Request) {
	if a.server.core.draining.Load() {
		http.Error(w, "draining", http.StatusServiceUnavailable)
		return
	}
	if x := a.server.core.Exchange; x != nil {
		if err := x.Ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
	}
	_, _ = io.WriteString(w, "ready\n")
}

func (a *admin) stats(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, struct {
		Stats
		RSS *int64 `json:"rss_bytes"` // null where the system does not tell
	}{a.server.Stats(), residentBytes()})
}

// gc frees what can be freed, as the article did by hand with
// erlang:garbage_collect. Sizes are null where the system does not tell them.
// It counts itself, so that a memory log that polls /stats can mark it.
func (a *admin) gc(w http.ResponseWriter, _ *http.Request) {
	var body struct {
		Before *int64 `json:"rss_before_bytes"`
		After  *int64 `json:"rss_after_bytes"`
	}
	body.Before = residentBytes()
	debug.FreeOSMemory()
	a.server.core.forced.Add(1)
	body.After = residentBytes()
	reply(w, http.StatusOK, body)
}

// sendOne takes one message to one user: the body.
func (a *admin) sendOne(w http.ResponseWriter, r *http.Request) {
	id, ok := wire.ParseID([]byte(r.PathValue("id")))
	if !ok {
		reply(w, http.StatusBadRequest, problem{"the id must be a whole number from 0 to 9223372036854775807, as in /send/123"})
		return
	}
	end, ok := a.beginIntake(w)
	if !ok {
		return
	}
	defer end()
	message, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxMessage))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		reply(w, http.StatusRequestEntityTooLarge, problem{"a message may have 1 MiB"})
		return
	case err != nil && a.stop.Err() != nil:
		a.hangUp(w, problem{"the server is shutting down; the message was not taken"})
		return
	case err != nil:
		reply(w, http.StatusBadRequest, problem{"the message did not come whole: " + err.Error()})
		return
	}
	p := newPublisher(a.server.core)
	answer := sendAnswer{Reached: p.send(id, message)}
	// It fails when the client is gone; the message is on its way all the same.
	_ = p.flush(r.Context())
	code := http.StatusOK
	if p.others != nil {
		err := p.confirm(r.Context())
		answer.elsewhereOne = &elsewhereOne{Here: answer.Reached, Published: err == nil}
		if err != nil {
			code, answer.Error = http.StatusServiceUnavailable, "the message was not published to the other servers, or not for certain: "+p.unsent.Error()
		}
	}
	reply(w, code, answer)
}

// sendAnswer answers POST /send/{id}.
type sendAnswer struct {
	Reached int `json:"reached"` // connections it was queued to
	*elsewhereOne
	Error string `json:"error,omitempty"`
}

// elsewhereOne is what a server that is not alone tells as well. There, Reached
// counts this server's connections only.
type elsewhereOne struct {
	Here      int  `json:"here"`      // as Reached
	Published bool `json:"published"` // the router has it
}

// hangUp answers 503 to a client whose body was cut short by the shutdown, and
// who may be sending still. net/http would close the connection at once, and
// the reset that the client gets for what it sends would eat the answer.
func (a *admin) hangUp(w http.ResponseWriter, body any) {
	a.hangingUp.Add(1)
	defer a.hangingUp.Done()
	w.Header().Set("Connection", "close")
	reply(w, http.StatusServiceUnavailable, body)
	control := http.NewResponseController(w)
	_ = control.Flush() // an error is a client that is gone
	conn, _, err := control.Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.CloseWrite()
	}
	_ = conn.SetReadDeadline(time.Now().Add(a.server.core.lingerTime))
	_, _ = io.Copy(io.Discard, conn)
}

// beginIntake counts a publishing request in, or refuses it while draining. A
// shutdown does not wait for a client that has nothing to say.
func (a *admin) beginIntake(w http.ResponseWriter) (end func(), ok bool) {
	a.intake.RLock()
	if a.stop.Err() != nil {
		a.intake.RUnlock()
		w.Header().Set("Connection", "close")
		reply(w, http.StatusServiceUnavailable, problem{"the server is shutting down"})
		return nil, false
	}
	control := http.NewResponseController(w)
	forget := context.AfterFunc(a.stop, func() { _ = control.SetReadDeadline(time.Unix(1, 0)) })
	return func() {
		forget()
		a.intake.RUnlock()
	}, true
}
