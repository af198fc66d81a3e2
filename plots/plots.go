// Package plots draws memory logs: the picture of the article "A Million-user
// Comet Application with Mochiweb, Part 2", 500 by 300 pixels, "Minutes
// Elapsed" against "Mem (KB)", from any log in its format, as PNG, SVG or PDF.
//
//	var log plots.Log
//	samples, _, err := series.ReadAll(file, "mem.log")
//	…
//	for _, s := range samples {
//		log.Add(s)
//	}
//	err = plots.WriteFile("mem.png", plots.Config{Title: "Mem usage", Logs: []plots.Log{log}})
//
// A picture of 450 pixels and higher has a second panel with the connections.
// The same input gives the same bytes. A million samples are drawn as fast as
// a thousand: of each pixel column the first, lowest, highest and last are
// drawn, so that no peak is lost.
//
// Of gonum.org/v1/plot only the drawing layer (vg) is used and not its Plot
// type, whose package parses twelve fonts at the start of every program that
// links it, 2.3 MB of resident memory also for a server that never draws.
package plots

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"example.org/comet/memlog/series"
)

// ErrNoData tells that the logs hold nothing that could be drawn.
var ErrNoData = errors.New("nothing to draw")

// Align says what several logs in one picture have in common.
type Align int

const (
	// AlignStart draws each log from its own first sample, to compare runs.
	AlignStart Align = iota
	// AlignClock draws all logs on one clock, which starts with the earliest
	// sample: for what was written at the same time.
	AlignClock
)

// Default size of a picture in pixels: the article's.
const (
	DefaultWidth  = 500
	DefaultHeight = 300
)

// Two panels, memory and below it connections, are drawn from this height on.
const twoPanelHeight = 450

// Limits of a picture's size in pixels; the largest takes 64 MB to draw.
const (
	minWidth, minHeight = 200, 150
	maxSide             = 4000
)

// Config says what to draw.
type Config struct {
	// Title stands above the picture; "" leaves it out. DefaultTitle makes one.
	Title string
	// Width and Height are in pixels, in SVG and PDF 1/96 inch; 0 means 500
	// and 300.
	Width, Height int
	// Align matters only for several logs.
	Align Align
	// Logs are drawn over each other; two and more get a legend.
	Logs []Log
}

// Validate reports what is wrong with the settings, each fault once. It does
// not look at the logs.
func (c Config) Validate() error {
	var errs []error
	if w := c.width(); w < minWidth || w > maxSide {
		errs = append(errs, fmt.Errorf("plots: a width of %d pixels is outside %d to %d", w, minWidth, maxSide))
	}
	if h := c.height(); h < minHeight || h > maxSide {
		errs = append(errs, fmt.Errorf("plots: a height of %d pixels is outside %d to %d", h, minHeight, maxSide))
	}
	if c.Align != AlignStart && c.Align != AlignClock {
		errs = append(errs, fmt.Errorf("plots: there is no alignment %d", c.Align))
	}
	return errors.Join(errs...)
}

func (c Config) width() int  { return cmp.Or(c.Width, DefaultWidth) }
func (c Config) height() int { return cmp.Or(c.Height, DefaultHeight) }

// Log is one log to draw.
type Log struct {
	// Name stands in the legend and in errors.
	Name string
	// Samples are in the order of the file. Time is expected to go forward;
	// where it goes back (a clock that was set, a log that was appended to an
	// older one) the line is broken.
	Samples []series.Sample
}

// Add appends a sample and keeps of its columns only those that a picture
// needs, sharing them among samples: a million samples take 64 MB.
func (l *Log) Add(s series.Sample) {
	if len(s.Fields) > 0 {
		who := processOf(s)
		s.Fields = nil
		if n := len(l.Samples); n > 0 && processOf(l.Samples[n-1]) == who {
			s.Fields = l.Samples[n-1].Fields
		} else if who != (process{}) {
			s.Fields = who.fields()
		}
	}
	l.Samples = append(l.Samples, s)
}

// process identifies what a sample was taken of; a changed one is a restart.
// "" is unknown.
type process struct{ pid, start string }

func processOf(s series.Sample) (p process) {
	for _, f := range s.Fields {
		switch f.Key {
		case "pid":
			p.pid = f.Value
		case "start":
			p.start = f.Value
		}
	}
	if p.pid == "-" {
		p.pid = ""
	}
	if p.start == "-" {
		p.start = ""
	}
	return p
}

func (p process) fields() (fields []series.Field) {
	if p.pid != "" {
		fields = append(fields, series.Field{Key: "pid", Value: strings.Clone(p.pid)})
	}
	if p.start != "" {
		fields = append(fields, series.Field{Key: "start", Value: strings.Clone(p.start)})
	}
	return fields
}

// follow takes the process of the next sample and tells whether it is another
// one. What the sample does not tell stays as it was.
func (p *process) follow(next process) (restarted bool) {
	restarted = p.pid != "" && next.pid != "" && p.pid != next.pid ||
		p.start != "" && next.start != "" && p.start != next.start
	p.pid, p.start = cmp.Or(next.pid, p.pid), cmp.Or(next.start, p.start)
	return restarted
}

// DefaultTitle is a title in the article's manner: "Mem usage with up to
// 10,001 connections", or the name of the log where no connection was counted.
func DefaultTitle(logs []Log) string {
	most := int64(0)
	for _, l := range logs {
		for _, s := range l.Samples {
			most = max(most, s.Connections)
		}
	}
	switch {
	case most == 1:
		return "Mem usage with up to 1 connection"
	case most > 0:
		return "Mem usage with up to " + thousands(strconv.FormatInt(most, 10)) + " connections"
	case len(logs) == 1 && logs[0].Name != "":
		return "Mem usage: " + logs[0].Name
	}
	return "Mem usage"
}

// Formats that Draw knows.
const (
	PNG = "png"
	SVG = "svg"
	PDF = "pdf"
)

// FormatOf tells the format of a file by its ending.
func FormatOf(name string) (string, error) {
	switch ending := strings.ToLower(filepath.Ext(name)); ending {
	case ".png", ".svg", ".pdf":
		return ending[1:], nil
	}
	return "", fmt.Errorf("plots: %q ends neither in .png nor in .svg nor in .pdf, which are the formats there are", name)
}

// Draw writes one picture, whole or not at all. The error wraps ErrNoData when
// there is no log, when one of them has no samples, or when one has no figure
// that this picture shows.
func Draw(w io.Writer, format string, cfg Config) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	pic, err := newPicture(cfg)
	if err != nil {
		return err
	}
	c, err := newCanvas(format, cfg.width(), cfg.height())
	if err != nil {
		return err
	}
	if err := pic.paint(c); err != nil {
		return err
	}
	return c.writeTo(w)
}
