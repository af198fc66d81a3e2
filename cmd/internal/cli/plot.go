package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"example.org/comet/cmd/internal/flags"
	"example.org/comet/cmd/internal/result"
	"example.org/comet/plots"
)

// plotOptions are the flags and arguments of comet plot.
type plotOptions struct {
	Config      plots.Config
	Out, Format string
	Size        string
	Align       string
	Units       string
	Labels      []string
	Strict      bool
	Growth      bool
	// TitleGiven says that Config.Title is to be used, also if it is empty.
	TitleGiven bool
	Logs       []string
}

func newPlot(env *Env, run func(context.Context, *Env, *plotOptions) error) *cobra.Command {
	o := new(plotOptions)
	cmd := describe(&cobra.Command{
		Use:         "plot --out FILE.{png,svg,pdf} [--growth] LOG...",
		Annotations: map[string]string{takesValues: "yes"},
		Args:        exactly(1, -1, "the logs to draw: comet plot --out mem.png mem.log"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Logs, o.TitleGiven = args, cmd.Flags().Changed("title")
			if err := o.complete(cmd.Flags()); err != nil {
				return usage(err)
			}
			return run(cmd.Context(), env, o)
		},
	}, "plot")
	o.bind(cmd.Flags())
	return cmd
}

func (o *plotOptions) bind(f *pflag.FlagSet) {
	flags.Group(f, flags.Output, func() {
		flags.String(f, &o.Out, "out", "o", "", "the picture, a `FILE` ending in .png, .svg or .pdf, which is replaced if it exists; - is standard output")
		flags.Enum(f, &o.Format, "format", "", "png, svg or pdf, for --out -", plots.PNG, plots.SVG, plots.PDF)
		flags.String(f, &o.Size, "size", "", fmt.Sprintf("%dx%d", plots.DefaultWidth, plots.DefaultHeight), "`WIDTHxHEIGHT` in pixels; memory has two panels from 450 high, and without --size logs of flood and msggen get the height they need")
		f.StringVar(&o.Config.Title, "title", "", "the `text` above the picture (default: from what was logged)")
		flags.Lines(f, &o.Labels, "label", "", "the `name` of a log in the legend; repeatable, in the order of the logs (default: the file)")
		flags.Enum(f, &o.Align, "align", "start", "start: several logs each from its own start; clock: all by the time of day", "start", "clock")
		flags.Enum(f, &o.Units, "units", "auto", "auto, or article: minutes and KB however many they are", "auto", "article")
		f.BoolVar(&o.Growth, "growth", false, "print whether memory, connections and open files have grown since the first quarter of the log; needs no --out")
		f.BoolVar(&o.Strict, "strict", false, "fail at a malformed line (default: report it and go on)")
	})
}

// complete checks the flags against each other.
func (o *plotOptions) complete(f *pflag.FlagSet) (err error) {
	o.Config.ArticleUnits = o.Units == "article"
	if o.Align == "clock" {
		o.Config.Align = plots.AlignClock
	}
	if f.Changed("size") {
		if o.Config.Width, o.Config.Height, err = parseSize(o.Size); err != nil {
			return err
		}
	}
	if err := o.Config.Validate(); err != nil {
		return err
	}
	if o.Growth && o.Out == "-" {
		return usagef("--growth prints where --out - would draw: name a file")
	}
	if !o.Growth || o.Out != "" {
		if o.Format, err = plotFormat(o.Out, o.Format); err != nil {
			return err
		}
	}
	o.Labels, err = logNames(o.Logs, o.Labels)
	return err
}

// runPlot reads the logs and draws them.
func runPlot(ctx context.Context, env *Env, o *plotOptions) error {
	cfg := o.Config
	for i, arg := range o.Logs {
		log, err := readLog(ctx, env, arg, o.Labels[i], o.Strict)
		if err != nil {
			return planned(ctx, err)
		}
		cfg.Logs = append(cfg.Logs, log)
	}
	if o.Growth {
		for _, log := range cfg.Logs {
			if err := printGrowth(env.Stdout, log); err != nil {
				return err
			}
		}
	}
	if o.Out == "" {
		return nil
	}
	if !o.TitleGiven {
		cfg.Title = plots.DefaultTitle(cfg.Logs)
	}
	for _, note := range plots.Notes(cfg) {
		fmt.Fprintf(env.Stderr, "comet: %s\n", note)
	}
	if o.Out == "-" {
		return plots.Draw(env.Stdout, o.Format, cfg)
	}
	return plots.WriteFile(o.Out, cfg)
}

// longGrowth is from when on growth is worth a rate and a name. Until then a server may
// still be on its way to its size: one in Go grows until its next collection.
const longGrowth = 30 * time.Minute

// printGrowth prints how the figures of a memory log went.
func printGrowth(w io.Writer, log *plots.Log) error {
	growth, err := log.Growth()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s, the last %s:\n%-12s %12s %12s %14s %12s\n", log.Name, growth[0].Over.Round(time.Second), "", "from", "to", "in an hour", "scatter")
	rises, long := map[string]bool{}, growth[0].Over >= longGrowth
	for _, g := range growth {
		unit, went := result.UnitCount, "level"
		if g.Figure == "memory" {
			unit = result.UnitBytes
		}
		switch {
		case g.Rises():
			went, rises[g.Figure] = "rises", true
		case g.Falls():
			went = "falls"
		}
		text := func(v float64) string { return result.Of(v).Text(unit) }
		hourly := result.NotMeasured
		if long {
			hourly = text((g.To - g.From) / g.Over.Hours())
		}
		fmt.Fprintf(w, "%-12s %12s %12s %14s %12s  %s\n", g.Figure, text(g.From), text(g.To), hourly, text(g.Scatter), went)
	}
	switch {
	case rises["connections"]:
		fmt.Fprintln(w, "There are more and more connections, which cost memory and files: hold as many all of the time, and look again.")
	case !long:
		fmt.Fprintf(w, "That is too short to tell a leak from a server that grows to its size: %.0f minutes are the least.\n", longGrowth.Minutes())
	case rises["memory"] || rises["open files"]:
		fmt.Fprintln(w, "That is a leak, unless it ends: log for longer, or without --churn, or without messages, to see what it comes from.")
	default:
		fmt.Fprintln(w, "Nothing grows beyond its scatter.")
	}
	return nil
}

// plotFormat returns the format to draw in, before anything is read.
func plotFormat(out, format string) (string, error) {
	switch {
	case out == "":
		return "", usagef("where to? write --out mem.png, .svg or .pdf")
	case out != "-" && format != "":
		return "", usagef("--format is for --out -; the ending of %s says what it becomes", out)
	case out != "-":
		format, err := plots.FormatOf(out)
		if err != nil {
			return "", usageError{err}
		}
		return format, nil
	case !slices.Contains([]string{plots.PNG, plots.SVG, plots.PDF}, format):
		return "", usagef("--out - needs --format: png, svg or pdf")
	}
	return format, nil
}

// parseSize reads 500x300.
func parseSize(s string) (width, height int, err error) {
	w, h, _ := strings.Cut(s, "x")
	width, errW := strconv.Atoi(w)
	height, errH := strconv.Atoi(h)
	if errW != nil || errH != nil || width <= 0 || height <= 0 {
		return 0, 0, usagef("%q is not a size: write 500x300", s)
	}
	return width, height, nil
}

// logNames returns the labels, or without any the arguments.
func logNames(args, labels []string) ([]string, error) {
	stdin := 0
	names := slices.Clone(args)
	for i, arg := range args {
		if arg == "-" {
			stdin++
			names[i] = "standard input"
		}
	}
	switch {
	case stdin > 1:
		return nil, usagef("standard input (-) can be read only once")
	case len(labels) == 0:
		return names, nil
	case len(labels) != len(args):
		return nil, usagef("there are %d labels for %d logs: write one --label for each, in their order", len(labels), len(args))
	}
	return labels, nil
}

// readLog reads one log until ctx ends; what is wrong with single lines goes to Stderr.
func readLog(ctx context.Context, env *Env, arg, name string, strict bool) (*plots.Log, error) {
	in, file := env.Stdin, "standard input" // which ends with ctx, too
	if arg != "-" {
		f, err := await(ctx, func() (*os.File, error) { return os.Open(arg) })
		if err != nil {
			return nil, fmt.Errorf("cannot read the log: %w", err)
		}
		defer f.Close()
		if info, err := f.Stat(); err == nil && info.IsDir() {
			return nil, fmt.Errorf("cannot read the log: %s is a directory: name a file", arg)
		}
		in, file = &endingReader{ctx: ctx, in: f, hungUp: func() bool { return false }}, arg
	}
	log, notes, err := plots.Read(in, file, name, strict)
	for _, note := range notes {
		fmt.Fprintf(env.Stderr, "comet: %s\n", note)
	}
	return log, err
}
