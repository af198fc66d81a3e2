package live

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"

	"example.org/comet/cmd/internal/result"
	"example.org/comet/server/adminhttp"
)

// viewerBuffer is how many events may wait for a viewer: half a minute of them.
const viewerBuffer = 32

// heartbeat is how long /events may be silent, so that a page can tell a run that
// says nothing from a connection that is lost.
const heartbeat = 5 * time.Second

// viewer is somebody who reads /events. out is closed when the viewer is too slow,
// and at the end.
type viewer struct{ out chan []byte }

// event returns an event of /events. All of them are JSON with a type.
func event(body any) []byte {
	text, err := json.Marshal(body)
	if err != nil { // figures always have a text
		return nil
	}
	return frame(text)
}

func frame(text []byte) []byte { return append(append([]byte("data: "), text...), "\n\n"...) }

// tell sends an event to all viewers, and gives up those who have not read the ones
// before it.
func (s *Server) tell(event []byte) {
	for v := range s.viewers {
		select {
		case v.out <- event:
		default:
			s.forget(v)
		}
	}
}

// forget takes a viewer out, who is served to the end of what is buffered.
func (s *Server) forget(v *viewer) {
	if _, there := s.viewers[v]; there {
		delete(s.viewers, v)
		close(v.out)
	}
}

// dismiss ends all viewers, and lets nobody in any more.
func (s *Server) dismiss() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for v := range s.viewers {
		s.forget(v)
	}
}

// join lets a viewer in, and returns what to begin with: all that was seen so far.
// It reports false when there is nothing to wait for.
func (s *Server) join() (v *viewer, begin [][]byte, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil, false
	}
	s.viewing.Add(1)
	v = &viewer{out: make(chan []byte, viewerBuffer)}
	s.viewers[v] = struct{}{}
	if s.ended != nil {
		v.out <- s.ended
	}
	return v, s.begin(), true
}

// begin returns the first event in pieces, which are shared with the history.
func (s *Server) begin() [][]byte {
	head, err := json.Marshal(struct {
		Type   string           `json:"type"`
		Title  string           `json:"title"`
		Phases []phase          `json:"phases"`
		SoFar  result.Quantiles `json:"so_far_ms"`
	}{"history", s.title, s.history.phases, s.soFar})
	if err != nil { // figures always have a text
		return nil
	}
	pieces := [][]byte{[]byte("data: "), bytes.TrimSuffix(head, []byte("}")), []byte(`,"moments":[`)}
	for i, text := range s.history.texts() {
		if i > 0 {
			pieces = append(pieces, []byte(","))
		}
		pieces = append(pieces, text)
	}
	return append(pieces, []byte("]}\n\n"))
}

func (s *Server) leave(v *viewer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(v)
	s.viewing.Done()
}

// events lets a viewer follow the run.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 { // Hold would let it take as long as it likes
		w.Header().Set("Connection", "close")
		adminhttp.Fail(w, http.StatusBadRequest, "this request has no body")
		return
	}
	if !adminhttp.Hold(w, r) {
		return
	}
	v, begin, ok := s.join()
	if !ok {
		adminhttp.Fail(w, http.StatusServiceUnavailable, "the run has ended")
		return
	}
	defer s.leave(v)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	if _, err := w.Write(bytes.Join(begin, nil)); err == nil {
		follow(w, r, v)
	}
}

// follow writes events until the viewer leaves or is given up. An error of a write
// is a viewer who is gone.
func follow(w http.ResponseWriter, r *http.Request, v *viewer) {
	control := http.NewResponseController(w)
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		if control.Flush() != nil {
			return
		}
		text := []byte(": still here\n\n")
		select {
		case <-r.Context().Done():
			return
		case <-beat.C:
		case next, ok := <-v.out:
			if !ok {
				return
			}
			text = next
		}
		if _, err := w.Write(text); err != nil {
			return
		}
	}
}
