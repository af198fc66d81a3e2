package bench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"example.org/comet/flood"
	"example.org/comet/msggen"
)

// arrivalPatience is how long the warm-up's messages may take: not every server
// hands on every message.
const arrivalPatience = 2 * time.Second

// meetTarget warms a server up that is not ours, and has its memory logged.
func (e *experiment) meetTarget(ctx context.Context) error {
	t := e.cfg.Target
	e.progress.line("server   %v, measured by %s, %d connections to come; results in %s", t, t.witness(), e.cfg.Connections, e.folder)
	if err := t.gone(); err != nil {
		return err
	}
	ended := e.show("start", func() (float64, float64, string) { return 0, uncounted, "warming up" })
	err := e.warmUpTarget(ctx)
	ended()
	if err != nil {
		return err
	}
	switch {
	case t.log != nil:
		e.stopCopy, err = t.log.copyTo(filepath.Join(e.folder, memLog))
		return err
	case len(t.pids) > 0:
		return e.logMemory(append([]string{"--pid", pidList(t.pids)}, t.listen()...)...)
	}
	return nil
}

// witness says who measures the target.
func (t *Target) witness() string {
	switch {
	case t.log != nil:
		return "the memory log from " + t.log.name
	case len(t.pids) == 1:
		return "pid " + pidList(t.pids) + " and its descendants"
	case len(t.pids) > 1:
		return "pids " + pidList(t.pids) + " and their descendants"
	}
	return "nobody (name its pid, a pattern or a log of its memory)"
}

func pidList(pids []int32) string {
	texts := make([]string, len(pids))
	for i, pid := range pids {
		texts[i] = strconv.Itoa(int(pid))
	}
	return strings.Join(texts, ",")
}

// warmUpTarget opens some connections, as the floods will, publishes a message
// to each, and closes them.
func (e *experiment) warmUpTarget(ctx context.Context) error {
	t := e.cfg.Target
	cfg := t.floodConfig(e.cfg)
	cfg.Connections = int(min(warmUps, t.ids(e.cfg.Connections)))
	if len(t.URLs) == 0 && !strings.Contains(t.URL, "{id}") {
		cfg.Connections = warmUps
	}
	cfg.Sources = e.plan.warmUpSources
	cfg.SampleInterval = 20 * time.Millisecond
	var latest, tried atomic.Pointer[flood.Sample]
	cfg.OnSample = func(s flood.Sample) {
		latest.Store(&s)
		if s.Connected != nil {
			tried.Store(&s)
		}
	}
	fl, err := flood.New(cfg)
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		_, err := fl.Run(running)
		ended <- err
	}()
	leave := func() error {
		stop()
		return <-ended
	}
	// A flood tries each connection only so long.
	for tried.Load() == nil {
		if err := wait(ctx, cfg.SampleInterval); err != nil {
			return errors.Join(err, leave())
		}
	}
	connected := tried.Load().Connected
	if connected.Established() == 0 {
		return errors.Join(fmt.Errorf("bench: warm-up: no connection to %v: %s", t, connected.Explanation), leave())
	}
	if connected.Failed > 0 {
		e.progress.line("         of the warm-up's connections, %s", connected.Explanation)
	}
	if t.Publish != nil && e.cfg.Rate != "none" {
		before := latest.Load().Chunks
		if err := t.publishOnce(ctx, cfg.Connections); err != nil {
			return errors.Join(err, leave())
		}
		for begun := time.Now(); latest.Load().Chunks < before+uint64(connected.Established()) && time.Since(begun) < arrivalPatience; {
			if err := wait(ctx, cfg.SampleInterval); err != nil {
				return errors.Join(err, leave())
			}
		}
	}
	return leave()
}

// publishOnce publishes one message to each of the first ids that get any. Its
// error is that nothing is accepted.
func (t *Target) publishOnce(ctx context.Context, connections int) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("bench: the server did not get through the warm-up's messages"))
	defer cancel()
	sender, err := msggen.NewPublishSender(*t.Publish)
	if err != nil {
		return err
	}
	if err := sender.Open(ctx); err != nil {
		return fmt.Errorf("bench: warm-up: %w", err)
	}
	first, last := t.MessageIDs(connections)
	for id := first; id <= min(last, first+warmUps-1) && err == nil; id++ {
		err = sender.Send(id, []byte("warm-up"))
	}
	if err == nil {
		err = sender.Settle(ctx)
	}
	if closeErr := sender.Close(ctx); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("bench: warm-up: %w", err)
	}
	return nil
}

// followsServerLog tells whether what the server uses comes from a log.
func (e *experiment) followsServerLog() bool { return e.cfg.Target != nil && e.cfg.Target.log != nil }

// awaitServerLog waits for a sample from after what went on last.
func (e *experiment) awaitServerLog(ctx context.Context) error {
	if !e.followsServerLog() {
		return nil
	}
	return e.cfg.Target.log.await(ctx, e.settled)
}

// leaveTarget ends the copy of the server's memory log, and notes what was wrong
// with it.
func (e *experiment) leaveTarget() {
	if !e.followsServerLog() {
		return
	}
	note := func(trouble string) {
		e.lost = append(e.lost, trouble)
		e.progress.line("lost     %s", trouble)
	}
	if trouble := e.cfg.Target.log.trouble(); trouble != "" {
		note(trouble)
	}
	if e.stopCopy != nil {
		if err := e.stopCopy(); err != nil {
			note(err.Error())
		}
	}
}
