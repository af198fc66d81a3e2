// Package memlog watches a process from outside. At regular moments it writes its
// resident memory, its processor time and the connections at its listener to the
// log that comet's other tools read and draw (package series). It is the article's
// "hideous one-liner".
//
//	log, err := memlog.New(memlog.Config{
//		Match:    "nginx: master",
//		Listen:   []sockdiag.Filter{{Port: 8000}},
//		Interval: 10 * time.Second,
//		Out:      series.NewWriter(os.Stdout),
//	})
//	if err != nil {
//		return err
//	}
//	return log.Run(ctx)
//
// To sample at moments of your own choosing, use a [Sampler].
package memlog

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"time"
	"unicode"

	"example.org/comet/memlog/series"
	"example.org/comet/memlog/sockdiag"
)

// DefaultInterval is the article's.
const DefaultInterval = 60 * time.Second

// Config says what to watch and where to write it. Either PIDs or Match must
// be set; everything else has a usable zero value.
type Config struct {
	// PIDs are the processes to watch, together with their descendants.
	PIDs []int32
	// Match is a regular expression (RE2) for the command line of the process
	// to watch, as for `pgrep -f`. A match is followed through restarts. It never
	// finds this process, another memlog, or a shell that has the pattern among
	// its arguments only because it started this process.
	Match string
	// NoChildren leaves the descendants out.
	NoChildren bool
	// PSS adds the proportional set size, which counts memory that processes
	// share once. Linux only; it costs the kernel 20 ms for each GiB.
	PSS bool
	// Listen chooses, by its local end, which sockets count as connections.
	// Without any, connections are not counted (series.Unknown).
	Listen []sockdiag.Filter

	// StatsURL is where the watched server reports its own count of
	// "connections" in a JSON object, such as comet's
	// http://127.0.0.1:8001/stats. The count becomes the column server_conns=,
	// which is "-" if the server does not answer in time: no sample waits for it.
	// If "collections_forced" has grown, the sample is marked event=gc. Only Run
	// asks; a Sampler does not.
	StatsURL string
	// StatsToken, if set, is sent along as a bearer token.
	StatsToken string
	// StatsTLS is for a StatsURL of https; nil means the authorities of the system.
	StatsTLS *tls.Config

	// Interval is the time from one sample to the next; 0 means
	// DefaultInterval.
	Interval time.Duration
	// CountInterval is the least time from one count of connections to the next, of which
	// a million take the kernel 0.7 s; samples between have none. 0 counts them for each.
	CountInterval time.Duration
	// Duration ends the run, with a sample at its end; 0 means that only ctx
	// ends it.
	Duration time.Duration
	// Out receives each sample as a line. It may be nil if OnSample is set.
	Out *series.Writer
	// OnSample, if set, is called with each sample, after it was written.
	OnSample func(series.Sample)
	// Logger receives what a person should know: a target that has ended or is
	// back, a full disk. nil discards it.
	Logger *slog.Logger
}

// Validate returns an error that names every field that cannot be used.
func (c Config) Validate() error {
	errs := c.validateTarget()
	if c.Interval < 0 {
		errs = append(errs, fmt.Errorf("the Interval %v is negative", c.Interval))
	}
	if c.CountInterval < 0 {
		errs = append(errs, fmt.Errorf("the CountInterval %v is negative", c.CountInterval))
	}
	if c.Duration < 0 {
		errs = append(errs, fmt.Errorf("the Duration %v is negative", c.Duration))
	}
	if c.StatsURL != "" {
		if _, err := statsURL(c.StatsURL); err != nil {
			errs = append(errs, err)
		}
	}
	if c.Out == nil && c.OnSample == nil {
		errs = append(errs, errors.New("nothing would receive the samples: set Out or OnSample"))
	}
	return joined(errs)
}

// validateTarget checks what a Sampler uses of the Config.
func (c Config) validateTarget() []error {
	var errs []error
	switch {
	case len(c.PIDs) == 0 && c.Match == "":
		errs = append(errs, errors.New("say which process to watch, by PIDs or by Match"))
	case len(c.PIDs) > 0 && c.Match != "":
		errs = append(errs, errors.New("say which process to watch by PIDs or by Match, not by both"))
	}
	for _, pid := range c.PIDs {
		if pid <= 0 {
			errs = append(errs, fmt.Errorf("%d among PIDs is not a process id", pid))
		}
	}
	if _, err := regexp.Compile(c.Match); err != nil {
		errs = append(errs, fmt.Errorf("cannot use Match: %w", err))
	}
	if c.PSS && !pssSupported {
		errs = append(errs, fmt.Errorf("only Linux has a PSS: %w", errors.ErrUnsupported))
	}
	return errs
}

func joined(errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("memlog: %w", errors.Join(errs...))
}

var (
	// ErrNoTarget is returned by New and NewSampler when no process has the
	// pid or matches.
	ErrNoTarget = errors.New("there is no such process")
	// ErrTargetGone is returned when the watched processes have ended.
	ErrTargetGone = errors.New("the process has ended")
)

// Process is a process as a person would name it.
type Process struct {
	PID     int32
	Command string // its arguments, separated by spaces
}

// AmbiguousError says that a pattern matches processes of which none started the
// others, so that their memory does not belong together.
type AmbiguousError struct {
	Match     string
	Processes []Process
}

func (e *AmbiguousError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "memlog: %q matches %d unrelated processes; make it longer, or choose by pid:", e.Match, len(e.Processes))
	for _, p := range e.Processes {
		fmt.Fprintf(&b, "\n  %d  %s", p.PID, printable(p.Command))
	}
	return b.String()
}

// printable returns what another program says without the characters that a
// terminal would obey.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return '?'
	}, s)
}
