package adminhttp

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// serve passes a request to its handler, or answers one without a handler with what there
// is.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	handler, pattern := s.mux.Handler(r)
	if pattern != "" {
		s.mux.ServeHTTP(w, r)
		return
	}
	said := verdict{header: make(http.Header)}
	handler.ServeHTTP(&said, r)
	switch said.code {
	case http.StatusMethodNotAllowed:
		allowed := said.header.Get("Allow")
		w.Header().Set("Allow", allowed)
		Fail(w, said.code, fmt.Sprintf("%.20s is not for %.100q, which takes %s", r.Method, r.URL.Path, allowed))
	case http.StatusNotFound:
		Fail(w, said.code, fmt.Sprintf("there is nothing at %.100q; this listener has %s", r.URL.Path, strings.Join(s.paths, ", ")))
	default:
		handler.ServeHTTP(w, r)
	}
}

// addPath notes what a pattern of HandleFunc is for.
func (s *Server) addPath(pattern string) {
	path := pattern[strings.IndexByte(pattern, '/'):]
	if at, found := slices.BinarySearch(s.paths, path); !found {
		s.paths = slices.Insert(s.paths, at, path)
	}
}

// verdict takes an answer's code and fields, and nothing else of it.
type verdict struct {
	header http.Header
	code   int
}

// Header implements http.ResponseWriter.
func (v *verdict) Header() http.Header { return v.header }

// WriteHeader implements http.ResponseWriter.
func (v *verdict) WriteHeader(code int) { v.code = code }

// Write implements http.ResponseWriter.
func (*verdict) Write(b []byte) (int, error) { return len(b), nil }
