package natsrouter

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
	"time"
)

// routerAdmin is the listener for questions.
type routerAdmin struct {
	router *Router
	http   http.Server
}

func newRouterAdmin(r *Router) *routerAdmin {
	a := &routerAdmin{router: r}
	mux := http.NewServeMux()
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
	// A web page that someone on this machine looks at must not be able to ask
	// for a collection.
	open.Handle("/", http.NewCrossOriginProtection().Handler(a.authorized(mux)))
	a.http = http.Server{
		Handler:           open,
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(r.cfg.Logger.Handler(), slog.LevelWarn),
	}
	return a
}

func (a *routerAdmin) serve(ln net.Listener) error {
	if err := a.http.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (a *routerAdmin) shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := a.http.Shutdown(ctx); err != nil {
		return a.http.Close() // a client that does not go, such as a running profile
	}
	return nil
}

func (a *routerAdmin) authorized(next http.Handler) http.Handler {
	token := a.router.cfg.AdminToken
	if token == "" {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || subtle.ConstantTimeCompare([]byte(given), []byte(token)) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			answerJSON(w, http.StatusUnauthorized, routerProblem{"this listener wants its token: Authorization: Bearer TOKEN"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// routerProblem is the body of an answer that is not what was asked for.
type routerProblem struct {
	Error string `json:"error"`
}

func answerJSON(w http.ResponseWriter, code int, body any) {
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

func (a *routerAdmin) healthz(w http.ResponseWriter, _ *http.Request) {
	_, _ = io.WriteString(w, "ok\n")
}

func (a *routerAdmin) readyz(w http.ResponseWriter, _ *http.Request) {
	ok, sentence := a.router.ready()
	if !ok {
		http.Error(w, sentence, http.StatusServiceUnavailable)
		return
	}
	_, _ = io.WriteString(w, sentence+"\n")
}

func (a *routerAdmin) stats(w http.ResponseWriter, _ *http.Request) {
	answerJSON(w, http.StatusOK, a.router.Stats())
}

// gc frees what can be freed. It counts itself, so that a memory log that polls
// /stats can mark it.
func (a *routerAdmin) gc(w http.ResponseWriter, _ *http.Request) {
	var body struct {
		Before int64 `json:"rss_before_bytes"`
		After  int64 `json:"rss_after_bytes"`
	}
	body.Before = a.router.residentBytes()
	debug.FreeOSMemory()
	a.router.forced.Add(1)
	body.After = a.router.residentBytes()
	answerJSON(w, http.StatusOK, body)
}
