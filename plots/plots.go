// Package plots draws logs: the picture of the article "A Million-user Comet
// Application with Mochiweb, Part 2", 500 by 300 pixels, "Minutes Elapsed"
// against "Mem (KB)", from any log in its format, as PNG, SVG or PDF.
//
//	log := &plots.Log{Name: "mem.log"}
//	in := series.NewReader(file, "mem.log")
//	for in.Scan() {
//		if in.Malformed() == nil {
//			log.Add(in.Sample())
//		}
//	}
//	err := plots.WriteFile("mem.png", plots.Config{Title: "Mem usage", Logs: []*plots.Log{log}})
//
// A picture of 450 pixels and higher has a second panel with the connections.
// Of the logs of flood and msggen it shows what they are about: messages each
// second and the latency of them, in panels under each other. Events are
// marked across all panels. The same input gives the same bytes. A million
// samples are drawn as fast as a thousand: of each pixel column the first,
// lowest, highest and last are drawn, so that no peak is lost.
//
// [Scale] is another picture: figures of several experiments against a number
// that grows by factors.
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
	"strings"
)

// ErrNoData says that the logs hold nothing to draw.
var ErrNoData = errors.New("nothing to draw")

// Align says what several logs in one picture have in common.
type Align int

const (
	// AlignStart draws each log from its own first sample, to compare runs.
	// Logs of different kinds that were written at the same time, memlog's
	// beside flood's, are one run and begin together.
	AlignStart Align = iota
	// AlignClock draws all logs by the time of day, in the zone of the first:
	// for what was written at the same time.
	AlignClock
)

// Default size of a picture of memory in pixels: the article's. Logs of other
// kinds need a panel for each figure and 150 pixels more for each.
const (
	DefaultWidth  = 500
	DefaultHeight = 300
)

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
	// and what the logs need, 300 for memory alone. Of a lower picture the
	// lower panels are left out.
	Width, Height int
	// Align says where the x axis begins, and if it is a clock.
	Align Align
	// ArticleUnits keeps minutes and KB where they are many. Otherwise beyond
	// four hours the x axis is in hours, and from a million KB on the memory
	// in MiB or GiB.
	ArticleUnits bool
	// Plain has every y axis begin at zero and a few minutes counted in seconds, and
	// gives a PNG two pixels for each: for a picture that others are shown.
	Plain bool
	// Phases are marked where they begin, in unix seconds.
	Phases []Band
	// Logs are drawn over each other; two and more get a legend.
	Logs []*Log
}

// Validate reports what is wrong with the settings, each fault once. It does
// not look at the logs.
func (c Config) Validate() error {
	var errs []error
	if w := c.width(); w < minWidth || w > maxSide {
		errs = append(errs, fmt.Errorf("plots: a width of %d pixels is outside %d to %d", w, minWidth, maxSide))
	}
	if h := cmp.Or(c.Height, DefaultHeight); h < minHeight || h > maxSide {
		errs = append(errs, fmt.Errorf("plots: a height of %d pixels is outside %d to %d", h, minHeight, maxSide))
	}
	if c.Align != AlignStart && c.Align != AlignClock {
		errs = append(errs, fmt.Errorf("plots: there is no alignment %d", c.Align))
	}
	return errors.Join(errs...)
}

func (c Config) width() int { return cmp.Or(c.Width, DefaultWidth) }

// Formats that Draw knows.
const (
	PNG = "png"
	SVG = "svg"
	PDF = "pdf"
)

// FormatOf returns the format of a file by its ending.
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
	density := 1
	if cfg.Plain {
		density = 2
	}
	c, err := newCanvas(format, int(pic.width), int(pic.height), density)
	if err != nil {
		return err
	}
	if err := pic.paint(c); err != nil {
		return err
	}
	return c.writeTo(w)
}
