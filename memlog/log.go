package memlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"example.org/comet/memlog/series"
	"example.org/comet/server/neterr"
)

// Log samples a target at regular moments.
type Log struct {
	cfg      Config
	log      *slog.Logger
	sampler  *Sampler
	take     func() (Usage, error) // sampler.Take, unless a test watches the clock
	stats    *statsPoller          // of Config.StatsURL, while running
	samples  atomic.Int64
	lost     atomic.Int64
	missing  int64 // samples lost since the last one that was written
	writeErr error // why
	waiting  bool  // the last sample found no target
	strayed  bool  // the last line went to a file that is no longer at Out's path
}

// Stats counts what a Log has done so far.
type Stats struct {
	Samples int64 // taken
	Lost    int64 // of those, not written because Out failed
}

// New checks cfg and finds its target; nothing is running yet. Errors are those
// of Validate, ErrNoTarget and *AmbiguousError.
func New(cfg Config) (*Log, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	sampler, err := NewSampler(cfg)
	if err != nil {
		return nil, err
	}
	if cfg.Interval == 0 {
		cfg.Interval = DefaultInterval
	}
	return &Log{cfg: cfg, log: sampler.log, sampler: sampler, take: sampler.Take}, nil
}

// Stats returns the counts so far. It may be called at any time.
func (l *Log) Stats() Stats { return Stats{Samples: l.samples.Load(), Lost: l.lost.Load()} }

// Run takes a sample at once and then one at every whole interval since, until
// ctx or Config.Duration ends it; then it returns nil. A late sample delays none
// of those after it. A sample whose moment has passed when the one before it is
// done is left out, also after this process was stopped for a while. With a
// Duration the last sample is taken at its end.
//
// Run returns ErrTargetGone when all processes given by pid have ended. It waits
// for a match that has ended; meanwhile its memory is logged as unknown. If Out
// fails (a full disk, a log whose directory was removed), that sample is lost and
// the next one is tried; the first that is written counts the lost ones in the
// column lost=. Only a pipe that nobody reads (EPIPE) ends the run. If no sample
// at all could be written, Run returns an error. It may be called once.
func (l *Log) Run(ctx context.Context) error {
	defer l.sampler.Close()
	if l.cfg.StatsURL != "" {
		client, err := newStatsClient(l.cfg.StatsURL, l.cfg.StatsToken, l.cfg.StatsTLS)
		if err != nil {
			return err
		}
		defer client.close()
		l.stats = startStats(ctx, client.ask)
		defer l.stats.end()
	}
	err := l.run(ctx)
	if err == nil && l.missing > 0 {
		err = l.lastWords()
	}
	return err
}

// lastWords reports the lost samples of a run that ends while samples cannot be
// written.
func (l *Log) lastWords() error {
	if samples := l.samples.Load(); l.missing == samples {
		return fmt.Errorf("memlog: none of %d samples could be written: %w", samples, l.writeErr)
	}
	l.log.Error("the run ends with samples that could not be written", "samples_lost", l.lost.Load(), "error", l.writeErr)
	return nil
}

// run takes the samples.
func (l *Log) run(ctx context.Context) error {
	start := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for k := int64(0); ; {
		due := time.Duration(k) * l.cfg.Interval
		last := l.cfg.Duration > 0 && due >= l.cfg.Duration
		if last {
			due = l.cfg.Duration
		}
		if l.stats != nil && k > 0 {
			l.stats.before(start.Add(due), l.cfg.Interval)
		}
		timer.Reset(due - time.Since(start))
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		if err := l.sample(); err != nil || last {
			return err
		}
		next := (time.Since(start) + l.cfg.Interval - 1) / l.cfg.Interval // rounded up
		k = max(k+1, int64(next))
	}
}

// sample takes and writes one sample. It returns only errors that end the run.
func (l *Log) sample() error {
	usage, err := l.take()
	switch {
	case errors.Is(err, ErrTargetGone) && l.cfg.Match == "":
		return fmt.Errorf("%w, after %d samples", err, l.samples.Load())
	case errors.Is(err, ErrTargetGone):
		if !l.waiting {
			l.log.Warn("the watched process has ended; waiting for the pattern to match again", "match", l.cfg.Match)
		}
		l.waiting = true
	default:
		l.waiting = false
		l.sampler.complain("all", err)
	}
	s := usage.Sample()
	if l.stats != nil {
		fields, err := l.stats.fields(s.Time)
		l.sampler.complain("server_conns", err)
		s.Fields = append(s.Fields, fields...)
	}
	l.samples.Add(1)
	if err := l.write(s); err != nil {
		return err
	}
	if l.cfg.OnSample != nil {
		l.cfg.OnSample(s)
	}
	return nil
}

// write appends s. It logs once that it cannot, and once that it can again.
func (l *Log) write(s series.Sample) error {
	if l.cfg.Out == nil {
		return nil
	}
	if l.missing > 0 {
		s.Fields = append(slices.Clip(s.Fields), series.Field{Key: "lost", Value: strconv.FormatInt(l.missing, 10)})
	}
	err := l.cfg.Out.Write(s)
	switch {
	case neterr.IsBrokenPipe(err):
		return fmt.Errorf("memlog: the reader of the samples has ended: %w", err)
	case err != nil:
		if l.missing == 0 {
			l.log.Error("a sample could not be written and is lost; the next one is tried", "error", err)
		}
		l.lost.Add(1)
		l.missing++
		l.writeErr = err
	case l.missing > 0:
		l.log.Info("samples are written again", "samples_lost", l.missing)
		l.missing = 0
	}
	if err == nil {
		l.stray(l.cfg.Out.Misplaced())
	}
	return nil
}

// stray logs once that lines go to a renamed log because its successor cannot
// be opened, and once that they are back at the path.
func (l *Log) stray(why error) {
	switch {
	case why != nil && !l.strayed:
		l.log.Warn("the log was renamed and cannot be opened again at its path; samples go on to the renamed file", "error", why)
	case why == nil && l.strayed:
		l.log.Info("samples go to the log's path again")
	}
	l.strayed = why != nil
}
