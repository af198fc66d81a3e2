package adminhttp

import (
	"bytes"
	"io"
	"net/http"
	"net/http/pprof"
	"runtime/debug"
)

// Pages are what every process answers about itself.
type Pages struct {
	// Ready reports whether clients may be sent here, and says so in a sentence:
	// /readyz.
	Ready func() (sentence string, ok bool)
	// Stats is the body of /stats.
	Stats func() any
	// Metrics are the figures of /metrics, besides those of any Go process.
	Metrics func() []Metric
	// Version is the label of comet_build_info.
	Version string
	// ResidentBytes returns the process's memory, nil if unknown. A nil func means
	// the function of this package.
	ResidentBytes func() *int64
	// Collected is called after each collection that POST /gc made. It may be nil.
	Collected func()
}

// AddPages adds GET /healthz, /readyz, /stats, /metrics and /debug/pprof/, and
// POST /gc.
func (s *Server) AddPages(p Pages) {
	if p.ResidentBytes == nil {
		p.ResidentBytes = ResidentBytes
	}
	s.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "ok\n") // an error is a client that is gone
	})
	s.HandleFunc("GET /readyz", p.readyz)
	s.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) { Reply(w, http.StatusOK, p.Stats()) })
	s.AddMetrics(p.Version, p.ResidentBytes, p.Metrics)
	s.HandleFunc("POST /gc", p.gc)
	s.HandleFunc("/debug/pprof/", long(pprof.Index))
	s.mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	s.mux.HandleFunc("/debug/pprof/profile", long(pprof.Profile))
	s.mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	s.mux.HandleFunc("/debug/pprof/trace", long(pprof.Trace))
}

// long holds the requests that name a duration. They have no body to wait for.
func long(handler http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			w.Header().Set("Connection", "close")
			Fail(w, http.StatusBadRequest, "this request has no body")
			return
		}
		if Hold(w, r) {
			handler(w, r)
		}
	}
}

func (p *Pages) readyz(w http.ResponseWriter, _ *http.Request) {
	sentence, ok := p.Ready()
	if !ok {
		http.Error(w, sentence, http.StatusServiceUnavailable)
		return
	}
	_, _ = io.WriteString(w, sentence+"\n") // an error is a client that is gone
}

// gc frees what can be freed, as the article did by hand with
// erlang:garbage_collect. Sizes are null where the system does not give them.
func (p *Pages) gc(w http.ResponseWriter, _ *http.Request) {
	var body struct {
		Before *int64 `json:"rss_before_bytes"`
		After  *int64 `json:"rss_after_bytes"`
	}
	body.Before = p.ResidentBytes()
	debug.FreeOSMemory()
	if p.Collected != nil {
		p.Collected()
	}
	body.After = p.ResidentBytes()
	Reply(w, http.StatusOK, body)
}

// AddMetrics adds GET /metrics: those of list, the versions, and the figures of any
// Go process, of which residentBytes returns the memory.
func (s *Server) AddMetrics(version string, residentBytes func() *int64, list func() []Metric) {
	s.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		all := append(list(), BuildInfo(version))
		all = append(all, Process(residentBytes())...)
		var b bytes.Buffer
		_ = WriteMetrics(&b, all) // a buffer takes everything
		w.Header().Set("Content-Type", MetricsType)
		_, _ = w.Write(b.Bytes()) // an error is a client that is gone
	})
}
