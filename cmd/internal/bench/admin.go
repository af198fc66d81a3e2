package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"example.org/comet/cmd/internal/fleet"
	"example.org/comet/cmd/internal/result"
	"example.org/comet/server"
)

// patience is how long a part may take for what it does at once.
const patience = 20 * time.Second

// errNoAnswer is the error of a part that is there and does not answer.
var errNoAnswer = fmt.Errorf("no answer within %v", patience)

// admin is the admin listener of a part.
type admin struct {
	url    string
	client *http.Client
}

// call makes a request and decodes the answer into v unless that is nil.
func (a admin) call(ctx context.Context, method, path string, body io.Reader, v any) error {
	ctx, cancel := fleet.WithPatience(ctx, patience, errNoAnswer)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, a.url+path, body)
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	answer, err := a.client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("bench: the admin listener: %s %s: %w", method, path, err)
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
		return fmt.Errorf("bench: the admin listener: %s %s: %w", method, path, err)
	}
	return nil
}

// ready waits until the part says that it is: with a router, until that is
// connected.
func (a admin) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := a.call(ctx, http.MethodGet, "/readyz", nil, nil)
		if err == nil {
			return nil
		}
		if waitErr := fleet.Wait(ctx, 20*time.Millisecond); waitErr != nil {
			return errors.Join(err, waitErr)
		}
	}
}

// collect frees what can be freed, and returns the memory left.
func (a admin) collect(ctx context.Context) (result.Figure, error) {
	var answer struct {
		After result.Figure `json:"rss_after_bytes"`
	}
	err := a.call(ctx, http.MethodPost, "/gc", nil, &answer)
	return answer.After, err
}

// traffic is what servers of ours say of their messages, summed.
type traffic struct {
	connections                       int64
	routed, unaddressed, acceptPauses uint64
	dropped                           map[string]uint64 // by reason
	// received are those that came from the router, strayed those that were lost
	// on their way from there and are in dropped too.
	received, strayed uint64
	faults            []string // why the counts cannot be believed
}

func (a admin) traffic(ctx context.Context) (*traffic, error) {
	var text json.RawMessage
	if err := a.call(ctx, http.MethodGet, "/stats", nil, &text); err != nil {
		return nil, err
	}
	return readTraffic(text)
}

// readTraffic decodes the answer of /stats. Whatever is named dropped_ is a
// reason for which messages were dropped, so that a new reason is counted
// without a change here.
func readTraffic(text []byte) (*traffic, error) {
	var s server.Stats
	var all map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(text, &s), json.Unmarshal(text, &all)); err != nil {
		return nil, fmt.Errorf("bench: what /stats answers cannot be read: %w", err)
	}
	t := &traffic{
		connections: s.Connections, routed: s.Routed, unaddressed: s.Unaddressed, acceptPauses: s.AcceptPauses,
		dropped: make(map[string]uint64),
	}
	for key, value := range all {
		reason, is := strings.CutPrefix(key, "dropped_")
		if !is || bytes.IndexAny(value, "-0123456789") != 0 {
			continue
		}
		var n uint64
		if err := json.Unmarshal(value, &n); err != nil {
			t.doubt("%s is %.40s", key, value)
			continue
		}
		t.dropped[reason] += n
	}
	t.require(all, "routed")
	if s.Router != nil {
		// Of messages that come through a router it alone says these.
		t.unaddressed, t.received, t.strayed = s.Router.Unaddressed, s.Router.Received, s.Router.DroppedSlowConsumer
		all = nil
		_ = json.Unmarshal(text, &struct{ Router *map[string]json.RawMessage }{&all})
		t.require(all, "received", "dropped_slow_consumer")
	}
	t.require(all, "unaddressed")
	for name, n := range map[string]uint64{"routed": t.routed, "unaddressed": t.unaddressed, "received": t.received, "dropped_slow_consumer": t.strayed} {
		t.bound(name, n)
	}
	for reason, n := range t.dropped {
		t.bound("dropped_"+reason, n)
	}
	if len(t.faults) == 0 { // no sum of such counts overflows
		t.dropped[overrun] += t.strayed
	}
	slices.Sort(t.faults)
	return t, nil
}

// doubt notes why the counts cannot be believed.
func (t *traffic) doubt(format string, args ...any) {
	t.faults = append(t.faults, fmt.Sprintf("what a server counts cannot be believed: in /stats "+format, args...))
}

// require notes the keys that are not there: 0 would be a guess.
func (t *traffic) require(all map[string]json.RawMessage, keys ...string) {
	for _, key := range keys {
		if _, is := all[key]; !is {
			t.doubt("there is no %q: is it another version of comet?", key)
		}
	}
}

// bound notes a count above what a server can reach in years.
func (t *traffic) bound(name string, n uint64) {
	if n > 1<<53 {
		t.doubt("%s is %d", name, n)
	}
}

// overrun is the reason of a message from the router that a node was too far
// behind to take.
const overrun = "overrun"

// add adds what another server says.
func (t *traffic) add(other *traffic) {
	t.connections += other.connections
	t.routed += other.routed
	t.unaddressed += other.unaddressed
	t.acceptPauses += other.acceptPauses
	t.received += other.received
	t.strayed += other.strayed
	t.faults = append(t.faults, other.faults...)
	for reason, n := range other.dropped {
		t.dropped[reason] += n
	}
}
