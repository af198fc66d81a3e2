package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"example.org/comet/cmd/internal/flags"
	"example.org/comet/cmd/internal/report"
	"example.org/comet/cmd/internal/result"
)

// compareOptions are the flags and arguments of comet compare.
type compareOptions struct {
	Config result.CompareConfig
	A, B   string
	Format string
	Out    string
}

// The formats of a comparison.
const (
	asTable    = "table"
	asMarkdown = "markdown"
	asJSON     = "json"
)

func newCompare(env *Env, run func(context.Context, *Env, *compareOptions) error) *cobra.Command {
	o := new(compareOptions)
	cmd := describe(&cobra.Command{
		Use:  "compare A B",
		Args: exactly(2, 2, "two results: comet compare before after"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.A, o.B = args[0], args[1]
			if err := o.complete(); err != nil {
				return usage(err)
			}
			return run(cmd.Context(), env, o)
		},
	}, "compare")
	o.bind(cmd.Flags())
	return cmd
}

func (o *compareOptions) bind(f *pflag.FlagSet) {
	flags.Group(f, flags.Other, func() {
		f.Var(&worseBy{&o.Config.Limit}, "fail-if-worse", "exit 3 if a judged figure is worse by more than this `share`, such as 10%, and by more than its spread")
		flags.List(f, &o.Config.Metrics, "metric", "judge this `figure` too, by its key or short name; repeatable (see comet help targets)", parseMetric,
			func(m result.Metric) string { return m.Key })
		f.BoolVar(&o.Config.Force, "force", false, "compare what was measured with another load or engine, or was interrupted")
	})
	flags.Group(f, flags.Output, func() {
		flags.Enum(f, &o.Format, "format", asTable, "table, markdown or json", asTable, asMarkdown, asJSON)
		flags.String(f, &o.Out, "out", "o", "", "write a page too, a `FILE` ending in .html, which is replaced if it exists; - prints it instead")
	})
}

// worseBy is a share in percent.
type worseBy struct{ limit *result.Figure }

func (w *worseBy) Type() string { return "share" }

func (w *worseBy) String() string {
	if w.limit == nil {
		return ""
	}
	share, ok := w.limit.Value()
	if !ok {
		return ""
	}
	return strconv.FormatFloat(share*100, 'g', -1, 64) + "%"
}

func (w *worseBy) Set(text string) error {
	number, found := strings.CutSuffix(strings.TrimSpace(text), "%")
	percent, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	switch {
	case err != nil || !(percent >= 0) || math.IsInf(percent, 0):
		return fmt.Errorf("%q is not a share: write 10%%", text)
	case !found:
		return fmt.Errorf("%q has no unit: write %s%%", text, number)
	}
	*w.limit = result.Of(percent / 100)
	return nil
}

// parseMetric finds a figure by its key or short name.
func parseMetric(name string) (result.Metric, error) {
	m, ok := result.Lookup(strings.TrimSpace(name))
	if !ok {
		return m, meant(&result.UnknownKeyError{Key: name})
	}
	return m, nil
}

// complete checks the flags and arguments against each other.
func (o *compareOptions) complete() error {
	switch ending := strings.ToLower(filepath.Ext(o.Out)); {
	case o.A == "-" && o.B == "-":
		return errors.New("standard input (-) can be read only once")
	case o.Out != "" && o.Out != "-" && ending != ".html" && ending != ".htm":
		return fmt.Errorf("--out %s: it is a page: name a file that ends in .html", o.Out)
	}
	defaults := pflag.NewFlagSet("", pflag.ContinueOnError)
	new(benchOptions).bind(defaults)
	o.Config.Defaults = flags.Settings(defaults)
	return nil
}

// runCompare reads both sides, shows what changed, and fails if it hurt.
func runCompare(ctx context.Context, env *Env, o *compareOptions) error {
	if result.IsSeries(o.A) && result.IsSeries(o.B) {
		return compareSeries(ctx, env, o)
	}
	var sides [2]result.Runs
	for i, arg := range []string{o.A, o.B} {
		runs, err := readRuns(ctx, env, arg)
		if err != nil {
			return planned(ctx, err)
		}
		sides[i] = runs
	}
	c, err := result.Compare(sides[0], sides[1], o.Config)
	if err != nil {
		return usage(err)
	}
	return o.report(env.Stdout, c, func(w io.Writer) error { return report.WriteComparison(w, c) })
}

// compareSeries does the same with two series.
func compareSeries(ctx context.Context, env *Env, o *compareOptions) error {
	var sides [2]result.Series
	for i, arg := range []string{o.A, o.B} {
		series, err := await(ctx, func() (result.Series, error) { return result.ReadSeries(arg) })
		if err != nil {
			return planned(ctx, err)
		}
		sides[i] = series
	}
	c, err := result.CompareSeries(sides[0], sides[1], o.Config)
	if err != nil {
		return usage(err)
	}
	return o.report(env.Stdout, c, func(w io.Writer) error { return report.WriteSeriesComparison(w, c) })
}

// comparison is what came of comparing two experiments, or two series.
type comparison interface {
	Table(w io.Writer) error
	Markdown(w io.Writer) error
	// Failure says what is worse, "" if nothing is.
	Failure() string
}

// report shows a comparison, and fails if it hurt.
func (o *compareOptions) report(w io.Writer, c comparison, page func(io.Writer) error) error {
	if err := o.show(w, c, page); err != nil {
		return err
	}
	if why := c.Failure(); why != "" {
		return targetError{errors.New(why)}
	}
	return nil
}

// readRuns reads one side, which may be standard input.
func readRuns(ctx context.Context, env *Env, arg string) (result.Runs, error) {
	return await(ctx, func() (result.Runs, error) {
		if arg == "-" {
			return result.DecodeRuns(env.Stdin, "standard input")
		}
		return result.ReadRuns(arg)
	})
}

// show prints a comparison, and writes its page.
func (o *compareOptions) show(w io.Writer, c comparison, writePage func(io.Writer) error) error {
	if o.Out != "" {
		var page bytes.Buffer
		if err := writePage(&page); err != nil {
			return err
		}
		if o.Out == "-" {
			_, err := w.Write(page.Bytes())
			return err
		}
		if err := result.WriteFile(o.Out, page.Bytes()); err != nil {
			return err
		}
	}
	switch o.Format {
	case asMarkdown:
		return c.Markdown(w)
	case asJSON:
		return jsonLine(w, "result", c)
	}
	return c.Table(w)
}
