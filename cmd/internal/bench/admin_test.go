package bench

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"example.org/comet/flood"
)

func TestReadTraffic(t *testing.T) {
	got, err := readTraffic([]byte(`{"engine":"epoll","connections":3,"routed":10,"unaddressed":2,"accept_pauses":1,
		"dropped_closed":4,"dropped_slow":5,"dropped_overrun":6,"dropped_for_a_new_reason":7,"dropped_by":{"x":1}}`))
	if err != nil || got.connections != 3 || got.routed != 10 || got.unaddressed != 2 || got.acceptPauses != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	if want := map[string]uint64{"closed": 4, "slow": 5, overrun: 6, "for_a_new_reason": 7}; !maps.Equal(got.dropped, want) {
		t.Errorf("dropped %v, want %v", got.dropped, want)
	}
	// With a router, whom a message is for is what it says.
	node, err := readTraffic([]byte(`{"routed":1,"unaddressed":99,"dropped_overrun":6,"router":{"received":20,"unaddressed":8,"dropped_slow_consumer":3}}`))
	if err != nil || len(node.faults) > 0 || node.received != 20 || node.strayed != 3 || node.unaddressed != 8 || node.dropped[overrun] != 9 {
		t.Errorf("%+v, %v", node, err)
	}
	node.add(got)
	if node.routed != 11 || node.unaddressed != 10 || node.connections != 3 || node.acceptPauses != 1 || node.dropped[overrun] != 15 || node.dropped["slow"] != 5 {
		t.Errorf("summed %+v", node)
	}
	if _, err := readTraffic([]byte(`{"routed":"many"}`)); err == nil || !strings.Contains(err.Error(), "cannot be read") {
		t.Errorf("%v", err)
	}
}

// TestTrafficOfALiar: a count that cannot be, and one that is not there, are
// named. None of them is taken for 0.
func TestTrafficOfALiar(t *testing.T) {
	for text, want := range map[string]string{
		`{"unaddressed":1}`: `there is no "routed"`,
		`{"routed":1}`:      `there is no "unaddressed"`,
		`{}`:                `there is no "routed"`,
		`{"routed":1,"unaddressed":1,"router":{}}`:                                                          `there is no "received"`,
		`{"routed":18446744073709551615,"unaddressed":1}`:                                                   "routed is 18446744073709551615",
		`{"routed":1,"unaddressed":1,"dropped_x":-5}`:                                                       "dropped_x is -5",
		`{"routed":1,"unaddressed":1,"dropped_x":1.5}`:                                                      "dropped_x is 1.5",
		`{"routed":1,"unaddressed":1,"dropped_x":1e300}`:                                                    "dropped_x is 1e300",
		`{"routed":1,"unaddressed":18446744073709551615}`:                                                   "unaddressed is 18446744073709551615",
		`{"routed":1,"router":{"received":1,"unaddressed":1,"dropped_slow_consumer":18446744073709551615}}`: "dropped_slow_consumer is",
	} {
		got, err := readTraffic([]byte(text))
		if err != nil || !strings.Contains(strings.Join(got.faults, "; "), want) {
			t.Errorf("%s: %+v, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{`{"routed":-1}`, `{"routed":NaN}`, `{"routed":1.5}`, `{"router":7}`, `[]`, `{"routed":1e40}`, ``} {
		if got, err := readTraffic([]byte(text)); err == nil {
			t.Errorf("%s is read as %+v", text, got)
		}
	}
}

// listener serves as an admin listener.
func listener(t *testing.T, answer http.HandlerFunc) admin {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return admin{s.URL, s.Client()}
}

func TestAdmin(t *testing.T) {
	asked := 0
	a := listener(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.Method + r.URL.Path {
		case "POST/gc":
			fmt.Fprint(w, `{"rss_after_bytes":4096}`)
		case "GET/readyz":
			if asked++; asked < 3 {
				http.Error(w, "not yet", http.StatusServiceUnavailable)
			}
		case "GET/stats":
			fmt.Fprint(w, `not JSON`)
		default:
			http.Error(w, "there is nothing here", http.StatusNotFound)
		}
	})
	if left, err := a.collect(t.Context()); err != nil || show(left) != "4096" {
		t.Errorf("%s, %v", show(left), err)
	}
	if err := a.ready(t.Context()); err != nil || asked != 3 {
		t.Errorf("%v after %d questions", err, asked)
	}
	if _, err := a.traffic(t.Context()); err == nil || !strings.Contains(err.Error(), "GET /stats") {
		t.Errorf("%v, want what was asked", err)
	}
	if err := a.call(t.Context(), http.MethodGet, "/none", nil, nil); err == nil || !strings.Contains(err.Error(), "404 Not Found: there is nothing here") {
		t.Errorf("%v, want the answer", err)
	}
	cause := errors.New("Ctrl-C")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if err := a.call(ctx, http.MethodGet, "/healthz", nil, nil); !errors.Is(err, cause) {
		t.Errorf("%v, want the cause", err)
	}
	if err := a.ready(ctx); !errors.Is(err, cause) {
		t.Errorf("%v, want the cause", err)
	}
}

// streams serves chunks that publish makes come.
func streams(t *testing.T) (url string, publish func(context.Context, int) error) {
	t.Helper()
	gate := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		select {
		case <-gate:
			fmt.Fprint(w, "a message")
			_ = http.NewResponseController(w).Flush()
		case <-r.Context().Done():
			return
		}
		<-r.Context().Done()
	}))
	t.Cleanup(s.Close)
	return s.URL + "/{id}", func(context.Context, int) error { close(gate); return nil }
}

func TestWarmUp(t *testing.T) {
	url, publish := streams(t)
	told := 0
	w := warmUp{streams: flood.Config{URL: url, Connections: 5}, arrival: time.Minute, must: true, publish: func(ctx context.Context, n int) error {
		told = n
		return publish(ctx, n)
	}}
	if failures, err := w.run(t.Context()); err != nil || failures != "" || told != 5 {
		t.Errorf("%q, %v; %d were to get a message", failures, err, told)
	}
	w.publish = nil
	if _, err := w.run(t.Context()); err != nil {
		t.Errorf("without messages: %v", err)
	}
	// Messages that do not arrive are an error only where they must.
	w.publish, w.arrival = func(context.Context, int) error { return nil }, 30*time.Millisecond
	url, _ = streams(t)
	w.streams.URL = url
	if _, err := w.run(t.Context()); err == nil || !strings.Contains(err.Error(), "did not arrive") {
		t.Errorf("%v", err)
	}
	w.must = false
	if _, err := w.run(t.Context()); err != nil {
		t.Errorf("%v", err)
	}
	refusal := errors.New("refused")
	w.publish = func(context.Context, int) error { return refusal }
	if _, err := w.run(t.Context()); !errors.Is(err, refusal) {
		t.Errorf("%v, want the refusal", err)
	}
	cause := errors.New("Ctrl-C")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if _, err := w.run(ctx); !errors.Is(err, cause) {
		t.Errorf("%v, want the cause", err)
	}
	w.streams.URL = "http://127.0.0.1:1/{id}"
	if _, err := w.run(t.Context()); err == nil || !strings.Contains(err.Error(), "no connection") {
		t.Errorf("%v", err)
	}
}
