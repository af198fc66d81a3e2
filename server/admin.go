package server

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"example.org/comet/server/adminhttp"
	"example.org/comet/server/router"
	"example.org/comet/server/wire"
)

// adminConfig returns the settings of the admin listener.
func (c *Config) adminConfig() adminhttp.Config {
	return adminhttp.Config{
		Address: c.Admin, Token: c.AdminToken, Hosts: c.AdminHosts,
		CertFile: c.AdminCertFile, KeyFile: c.AdminKeyFile, Logger: c.Logger,
	}
}

// admin is the listener for messages and questions.
type admin struct {
	*adminhttp.Server
	server *Server
	// stop ends when no more messages are taken: before the engine drains.
	stop context.Context
	// intake is read-locked by each request that publishes, so that the engine
	// can wait for what they still have to hand over.
	intake sync.RWMutex
}

func newAdmin(ctx context.Context, s *Server) *admin {
	a := &admin{Server: s.admin, server: s, stop: ctx}
	a.HandleFunc("POST /send/{id}", a.sendOne)
	a.HandleFunc("POST /send", a.sendStream)
	a.HandleFunc("GET /nodes", a.nodes)
	a.AddPage(pages, "page")
	a.addEvents()
	a.AddPages(adminhttp.Pages{
		Ready:     s.ready,
		Stats:     a.stats,
		Metrics:   func() []adminhttp.Metric { stats := s.Stats(); return stats.metrics() },
		Version:   s.core.Version,
		Collected: func() { s.core.forced.Add(1) }, // so that a memory log that polls /stats can mark it
	})
	return a
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

// ready reports whether clients may be sent here.
func (s *Server) ready() (sentence string, ok bool) {
	if s.core.draining.Load() {
		return "draining", false
	}
	if x := s.core.Exchange; x != nil {
		if err := x.Ready(); err != nil {
			return err.Error(), false
		}
	}
	if r := s.core.replica; r != nil {
		if err := r.Ready(); err != nil {
			return err.Error(), false
		}
	}
	return "ready", true
}

func (a *admin) stats() any {
	stats := a.server.Stats()
	stats.RSSBytes, stats.CPUSeconds = adminhttp.ResidentBytes(), adminhttp.CPUSeconds()
	return stats
}

// nodes answers with what the servers on the router report of themselves.
func (a *admin) nodes(w http.ResponseWriter, r *http.Request) {
	x := a.server.core.Exchange
	if x == nil {
		adminhttp.Fail(w, http.StatusNotFound, "this server is not on a router (--router)")
		return
	}
	reports, err := x.Reports(r.Context())
	if err != nil {
		adminhttp.Fail(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	adminhttp.Reply(w, http.StatusOK, struct {
		Nodes []json.RawMessage `json:"nodes"`
	}{reports})
}

// sendOne takes one message to one user: the body.
func (a *admin) sendOne(w http.ResponseWriter, r *http.Request) {
	id, ok := wire.ParseID([]byte(r.PathValue("id")))
	if !ok {
		adminhttp.Fail(w, http.StatusBadRequest, "the id must be a whole number from 0 to 9223372036854775807, as in /send/123")
		return
	}
	end, ok := a.beginIntake(w)
	if !ok {
		return
	}
	defer end()
	message, ok := a.readMessage(w, r)
	if !ok {
		return
	}
	p := newPublisher(a.server.core)
	p.mayPass(r.Context(), id, false)
	answer := sendAnswer{Reached: p.send(id, message)}
	var code int
	code, answer.elsewhereOne, answer.Error = p.finish(r.Context(), "message", answer.Reached)
	adminhttp.Reply(w, code, answer)
}

// readMessage reads the body of a request, or answers why it cannot.
func (a *admin) readMessage(w http.ResponseWriter, r *http.Request) (message []byte, ok bool) {
	message, err := io.ReadAll(http.MaxBytesReader(w, r.Body, router.MaxMessage))
	switch {
	case errors.As(err, new(*http.MaxBytesError)):
		adminhttp.Fail(w, http.StatusRequestEntityTooLarge, router.ErrTooLong.Error())
	case err != nil && a.stop.Err() != nil:
		a.HangUp(w, adminhttp.Problem{Error: "the server is shutting down; the message was not taken"}, a.server.core.lingerTime)
	case err != nil:
		adminhttp.Fail(w, http.StatusBadRequest, "the message did not come whole: "+err.Error())
	}
	return message, err == nil
}

// sendAnswer answers POST /send/{id}.
type sendAnswer struct {
	Reached int `json:"reached"` // connections it was queued to
	*elsewhereOne
	Error string `json:"error,omitempty"`
}

// finish lets the one message of a request go, what that is called, and returns what
// the answer says of the other servers, if there are any.
func (p *publisher) finish(ctx context.Context, what string, here int) (code int, others *elsewhereOne, trouble string) {
	// It fails when the client is gone; the message is on its way all the same.
	_ = p.flush(ctx)
	if p.others == nil {
		return http.StatusOK, nil, ""
	}
	if p.confirm(ctx) != nil {
		return http.StatusServiceUnavailable, &elsewhereOne{Here: here}, "the " + what + " was not published to the other servers, or not for certain: " + p.unsent.Error()
	}
	return http.StatusOK, &elsewhereOne{Here: here, Published: true}, ""
}

// elsewhereOne is what a server that is not alone adds. There, Reached counts
// this server's connections only.
type elsewhereOne struct {
	Here      int  `json:"here"`      // as Reached
	Published bool `json:"published"` // the router has it
}

// beginIntake counts a publishing request in, or refuses it while draining. A
// shutdown does not wait for a client that has nothing to say.
func (a *admin) beginIntake(w http.ResponseWriter) (end func(), ok bool) {
	began := a.intake.TryRLock() // it fails where the shutdown waits for others
	if !began || a.stop.Err() != nil {
		if began {
			a.intake.RUnlock()
		}
		w.Header().Set("Connection", "close")
		adminhttp.Fail(w, http.StatusServiceUnavailable, "the server is shutting down")
		return nil, false
	}
	control := http.NewResponseController(w)
	forget := context.AfterFunc(a.stop, func() { _ = control.SetReadDeadline(time.Unix(1, 0)) })
	return func() {
		forget()
		a.intake.RUnlock()
	}, true
}
