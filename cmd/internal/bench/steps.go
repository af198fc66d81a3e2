package bench

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"example.org/comet/cmd/internal/fleet"
	"example.org/comet/cmd/internal/report"
	"example.org/comet/cmd/internal/result"
	"example.org/comet/plots"
	"example.org/comet/sysctl"
)

// The files of a series, besides scale.json, bench.txt and report.html.
const (
	scaleText    = "scale.txt"
	scalePicture = "scale.png"
)

// stepFunc does the experiment of cfg and writes its folder, which exists. The
// result, if there is one, is what was measured, also beside an error.
type stepFunc func(ctx context.Context, cfg *Config, folder string) (*result.Result, error)

// runSteps does the experiment for each of cfg.Steps, each in a folder of its
// own, and leaves above them how the figures change. If a step fails, the series
// stops and keeps the steps completed so far. The files of the series are
// complete after each step, however the next one ends.
func runSteps(ctx context.Context, cfg *Config, folder string, run stepFunc) (*Outcome, error) {
	s := stepSeries{folder: folder, command: cfg.Command, scale: &result.Scale{
		Asked: cfg.Steps, Environment: result.ReadEnvironment(time.Now()), Settings: maps.Clone(cfg.Settings),
	}}
	delete(s.scale.Settings, "connections") // which each step has for itself
	var lost error
	failed := errors.Join(removeFiles(folder), removeScale(folder))
	for i, n := range cfg.Steps {
		if failed == nil {
			failed = settle(ctx, cfg.Progress, slab)
		}
		if failed == nil {
			fmt.Fprintf(cfg.Progress, "step %d of %d: %s connections\n", i+1, len(cfg.Steps), sysctl.Value(n))
			failed = s.step(ctx, cfg, n, run)
		}
		if OnlyLost(failed) {
			lost, failed = errors.Join(lost, failed), nil
		}
		if failed != nil {
			failed = fmt.Errorf("bench: the series ended at step %d of %d, %s connections: %w", i+1, len(cfg.Steps), sysctl.Value(n), failed)
			s.scale.Interrupted, s.scale.InterruptedBy = true, failed.Error()
		}
		writeErr := s.write()
		if failed = errors.Join(failed, writeErr); failed != nil {
			break
		}
	}
	return &Outcome{Folder: folder, Scale: s.scale}, errors.Join(failed, lost)
}

// stepSeries is what the steps leave.
type stepSeries struct {
	folder  string
	command []string
	scale   *result.Scale
	results []*result.Result
}

// step does one. An interrupted result is a failure too: the next step would need
// more of what was missing.
func (s *stepSeries) step(ctx context.Context, cfg *Config, connections int, run stepFunc) error {
	own, name := *cfg, strconv.Itoa(connections)
	own.Connections, own.Steps = connections, nil
	own.Settings = maps.Clone(cfg.Settings)
	if own.Settings == nil {
		own.Settings = make(map[string]any)
	}
	own.Settings["connections"] = int64(connections)
	if len(own.Command) > 0 {
		own.Command = append(without(own.Command, "--steps="), "--connections="+name)
	}
	below := filepath.Join(s.folder, name)
	if err := os.MkdirAll(below, 0o755); err != nil {
		return fmt.Errorf("bench: the results cannot be written: %w", err)
	}
	r, err := run(ctx, &own, below)
	if r == nil {
		return err
	}
	s.scale.Add(name, r)
	s.results = append(s.results, r)
	if err == nil && r.Interrupted {
		err = errors.New(cmp.Or(r.InterruptedBy, "it did not come to its planned end"))
	}
	return err
}

// write writes everything that is made of the series so far.
func (s *stepSeries) write() error {
	err := plots.WriteScale(filepath.Join(s.folder, scalePicture), report.DrawScale(s.scale))
	if errors.Is(err, plots.ErrNoData) {
		err = nil // no step came that far
	}
	with := report.Extras{Command: s.command, Files: filesOf(s.folder, scalePicture)}
	var table, page, bench bytes.Buffer
	err = errors.Join(err, s.scale.Write(s.folder), s.scale.Table(&table), report.WriteScale(&page, s.scale, with), result.WriteBench(&bench, s.results...))
	for name, content := range map[string][]byte{scaleText: table.Bytes(), pageFile: page.Bytes(), benchFile: bench.Bytes()} {
		err = errors.Join(err, result.WriteFile(filepath.Join(s.folder, name), content))
	}
	if err != nil {
		return fmt.Errorf("bench: the results of the series are not complete: %w", err)
	}
	return nil
}

// removeScale removes what an older series left in a folder.
func removeScale(folder string) error {
	for _, name := range []string{result.ScaleFileName, scaleText, scalePicture} {
		if err := os.Remove(filepath.Join(folder, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("bench: an older series cannot be replaced: %w", err)
		}
	}
	return nil
}

// settle waits until the kernel has given back what the sockets of the last
// step, or of the run before, took: some of it only after TIME_WAIT, a minute.
// Memory that is given back while a step takes some would be missing in that
// one's figure: right after a run of 10,000 connections, 5,000 were seen to take
// less than nothing.
func settle(ctx context.Context, w io.Writer, slab func() sysctl.Value) error {
	const (
		patience = 75 * time.Second
		enough   = 3         // seconds without a fall
		fall     = 512 << 10 // bytes; smaller ones are everyday life
	)
	begun, before, told := time.Now(), slab(), false
	for quiet := 0; quiet < enough && before.Known() && time.Since(begun) < patience; quiet++ {
		if err := fleet.Wait(ctx, time.Second); err != nil {
			return err
		}
		now := slab()
		if now < before-fall {
			quiet = -1
		}
		if quiet < 0 && !told {
			told = true
			fmt.Fprintf(w, "waiting for the kernel to give back the memory of sockets that were closed, %v at most\n", patience)
		}
		before = now
	}
	return nil
}

// slab returns the kernel's memory in slabs, where sockets are.
func slab() sysctl.Value {
	s, _ := sysctl.Read() // what cannot be read is unknown
	return s.Slab
}
