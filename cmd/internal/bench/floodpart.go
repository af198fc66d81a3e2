package bench

import (
	"context"
	"encoding/json"
	"path/filepath"
	"sync/atomic"

	"example.org/comet/cmd/internal/agent"
	"example.org/comet/cmd/internal/flags"
	"example.org/comet/cmd/internal/fleet"
	"example.org/comet/flood"
)

// floodPart is a flood process.
type floodPart struct {
	*fleet.Process
	agent            *agent.Host                  // nil: it runs here
	live             atomic.Pointer[flood.Sample] // the newest
	connected, ended atomic.Pointer[flood.Result]
}

// startFlood starts a flood of some connections of pair i, which then waits to be let
// go.
func (r *run) startFlood(ctx context.Context, i int, what pair) (*floodPart, error) {
	url, urls := r.site.streams(i)
	f := new(floodPart)
	var err error
	if r.plan.away {
		err = r.startAway(ctx, f, what, url, urls)
	} else {
		err = r.startHere(ctx, f, i, what, url, urls)
	}
	if err != nil {
		return nil, err
	}
	return f, f.Await(ctx, "ready", patience, nil)
}

// startHere starts a flood as a process of this host.
func (r *run) startHere(ctx context.Context, f *floodPart, i int, what pair, url string, urls []string) (err error) {
	log := ""
	if !r.joint {
		log = filepath.Join(r.folder, floodLog)
	}
	cmd := floodCommand(r.cfg, r.plan, what, log)
	if cmd.Config.URL = url; len(urls) > 0 {
		if cmd.URLFile, err = writeURLs(r.folder, i, urls); err != nil {
			return err
		}
	}
	spec := r.spec(i, "flood", flags.Args(cmd))
	spec.OnSample = func(line []byte) { r.sample(f, line) }
	f.Process, err = r.start(ctx, spec)
	return err
}

// member returns the flood as a part that is measured, by its number from 1.
func (f *floodPart) member(number int) member {
	m := ours("flood", number, f.Process)
	if f.agent != nil {
		m.read = f.agent.Usage(f.PID)
	}
	return m
}

// sample takes a line from a flood as it comes.
func (r *run) sample(f *floodPart, line []byte) {
	var s flood.Sample
	if json.Unmarshal(line, &s) != nil {
		return // a line that was cut off with its process
	}
	f.live.Store(&s)
	r.timeline.Load().sample(f, &s)
	if s.Busy != nil && r.sending.Load() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.busy.add(*s.Busy)
	}
}
