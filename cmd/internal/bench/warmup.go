package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// warmUps is how many connections come and go before the memory at the start is
// read, so that what a server needs once is not laid to its connections.
const warmUps = 200

// admin is the admin listener of the server under test.
type admin struct{ url string }

// serverStats is what bench reads of /stats.
type serverStats struct {
	Connections    int64  `json:"connections"`
	Routed         uint64 `json:"routed"`
	DroppedClosed  uint64 `json:"dropped_closed"`
	DroppedSlow    uint64 `json:"dropped_slow"`
	DroppedOverrun uint64 `json:"dropped_overrun"`
	Unaddressed    uint64 `json:"unaddressed"`
	AcceptPauses   uint64 `json:"accept_pauses"`
	// Router is there where messages come through one.
	Router *struct {
		Unaddressed         uint64 `json:"unaddressed"`
		DroppedSlowConsumer uint64 `json:"dropped_slow_consumer"`
	} `json:"router"`
}

func (s *serverStats) add(t serverStats) {
	s.Connections += t.Connections
	s.Routed += t.Routed
	s.DroppedClosed += t.DroppedClosed
	s.DroppedSlow += t.DroppedSlow
	s.DroppedOverrun += t.DroppedOverrun
	s.Unaddressed += t.Unaddressed
	s.AcceptPauses += t.AcceptPauses
}

// ready waits until the server says so: with a router, until it is in reach.
func (s *server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := s.admin.call(ctx, http.MethodGet, "/readyz", nil, nil)
		if err == nil {
			return nil
		}
		if waitErr := wait(ctx, 20*time.Millisecond); waitErr != nil {
			return errors.Join(err, waitErr)
		}
	}
}

func (a admin) call(ctx context.Context, method, path string, body io.Reader, v any) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, a.url+path, body)
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("bench: the server's admin listener: %w", err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", answer.Status, strings.TrimSpace(string(text)))
	}
	if err == nil && v != nil {
		err = json.Unmarshal(text, v)
	}
	if err != nil {
		return fmt.Errorf("bench: %s %s: %w", method, path, err)
	}
	return nil
}

func (a admin) stats(ctx context.Context) (s serverStats, err error) {
	err = a.call(ctx, http.MethodGet, "/stats", nil, &s)
	if s.Router != nil {
		s.Unaddressed = s.Router.Unaddressed
		s.DroppedOverrun += s.Router.DroppedSlowConsumer
	}
	return s, err
}

// collect has the server free what it can, and returns its memory after that.
func (a admin) collect(ctx context.Context) (*int64, error) {
	var answer struct {
		After *int64 `json:"rss_after_bytes"`
	}
	err := a.call(ctx, http.MethodPost, "/gc", nil, &answer)
	return answer.After, err
}

// warmUp opens connections to the server at addr, as ids from first, sends each a
// message by way of another server's admin listener, and waits until all have
// left.
func warmUp(ctx context.Context, addr string, first int64, a, other admin) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("bench: the server did not get through the warm-up"))
	defer cancel()
	// The first collection brings code and tables of the runtime into memory,
	// which are no connection's.
	if _, err := a.collect(ctx); err != nil {
		return err
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	streams := make([]*http.Response, warmUps)
	defer func() {
		for _, s := range streams {
			if s != nil {
				s.Body.Close()
			}
		}
	}()
	errs := make([]error, warmUps)
	var open sync.WaitGroup
	for i := range streams {
		open.Go(func() {
			streams[i], errs[i] = openStream(ctx, client, fmt.Sprintf("http://%s/test/%d", addr, first+int64(i)))
		})
	}
	open.Wait()
	for _, err := range errs {
		if err != nil {
			return err // the others will be like the first
		}
	}
	var messages bytes.Buffer
	for i := range streams {
		fmt.Fprintf(&messages, "%d warm-up\n", first+int64(i))
	}
	if err := other.call(ctx, http.MethodPost, "/send", &messages, nil); err != nil {
		return err
	}
	for i, s := range streams {
		if _, err := s.Body.Read(make([]byte, 512)); err != nil {
			return fmt.Errorf("bench: warm-up connection %d: %w", i+1, err)
		}
		s.Body.Close()
	}
	for {
		s, err := a.stats(ctx)
		if err != nil {
			return err
		}
		if s.Connections == 0 {
			return a.call(ctx, http.MethodGet, "/metrics", nil, nil)
		}
		if err := wait(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

func openStream(ctx context.Context, client *http.Client, url string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	answer, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("bench: warm-up: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		answer.Body.Close()
		return nil, fmt.Errorf("bench: warm-up: %s answers %s", url, answer.Status)
	}
	return answer, nil
}

// wait waits, unless ctx ends first.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
