package cli

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"example.org/comet/plots"
)

func newPlot(env *Env) *cobra.Command {
	var (
		cfg    plots.Config
		out    string
		format string
		size   string
		align  string
		units  string
		labels []string
		strict bool
	)
	cmd := &cobra.Command{
		Use:   "plot --out FILE.{png,svg,pdf} LOG...",
		Short: "Draw the logs of memlog, flood and msggen",
		Long: `plot draws the memory of a process over time from any log in the format of
comet memlog, which is that of the article's one-liner:

  date<TAB>unix time<TAB>resident KB<TAB>connections

It draws what the columns of a log tell. Of comet memlog it is the memory, and
in a picture that is 450 pixels high or higher the connections below it. Of
comet flood --log it is the connections, the chunks each second and their
latency, of comet msggen --log the messages each second and how late they were
sent, in panels under each other. The ending of --out says what it becomes: a
PNG, an SVG or a PDF. LOG - is standard input.

Several logs are drawn over each other, each from its own start, with a legend;
logs of different kinds that were written at the same time are one run and begin
together. Beyond four hours the axis is in hours, with --align clock it is the
time of day; memory beyond a million KB is in MiB.

A column event=TEXT is marked, event=gc, a forced collection, by a triangle.
The line is broken where nothing was logged for two and a half intervals, and
where the process was restarted, which is marked too. A last line without a
newline may have been cut anywhere and is left out.`,
		Example: `  comet plot --out mochimem.png mochimem.log
  comet plot -o mem.svg --size 700x500 --title "Mem usage with 10k active connections" mem.log
  comet plot -o both.png --label before --label after mem-1.log mem-2.log
  comet plot -o run.png mem.log flood.log msggen.log
  ssh server cat mem.log | comet plot -o - --format png - > mem.png`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("%s takes the logs to draw: %s --out mem.png mem.log", cmd.CommandPath(), cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if cmd.Flags().Changed("size") {
				if cfg.Width, cfg.Height, err = parseSize(size); err != nil {
					return err
				}
			}
			if cfg.ArticleUnits, err = parseUnits(units); err != nil {
				return err
			}
			if cfg.Align, err = parseAlign(align); err != nil {
				return err
			}
			if err := cfg.Validate(); err != nil {
				return usageError{err}
			}
			if format, err = plotFormat(out, format); err != nil {
				return err
			}
			names, err := logNames(args, labels)
			if err != nil {
				return err
			}
			for i, arg := range args {
				log, err := readLog(env, arg, names[i], strict)
				if err != nil {
					return err
				}
				cfg.Logs = append(cfg.Logs, log)
			}
			if !cmd.Flags().Changed("title") {
				cfg.Title = plots.DefaultTitle(cfg.Logs)
			}
			for _, note := range plots.Notes(cfg) {
				fmt.Fprintf(env.Stderr, "comet: %s\n", note)
			}
			if out == "-" {
				return plots.Draw(env.Stdout, format, cfg)
			}
			return plots.WriteFile(out, cfg)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&out, "out", "o", "", "the picture, a `FILE` ending in .png, .svg or .pdf, which is replaced if it exists; - is standard output")
	f.StringVar(&format, "format", "", "png, svg or pdf, for --out -")
	f.StringVar(&size, "size", fmt.Sprintf("%dx%d", plots.DefaultWidth, plots.DefaultHeight), "`WIDTHxHEIGHT` in pixels; memory has two panels from 450 high, and without --size logs of flood and msggen get the height they need")
	f.StringVar(&cfg.Title, "title", "", "the `text` above the picture (default: from what was logged)")
	f.StringArrayVar(&labels, "label", nil, "the `name` of a log in the legend; repeatable, in the order of the logs (default: the file)")
	f.StringVar(&align, "align", "start", "start: several logs each from its own start; clock: all by the time of day")
	f.StringVar(&units, "units", "auto", "auto, or article: minutes and KB however many they are")
	f.BoolVar(&strict, "strict", false, "fail at a malformed line (default: report it and go on)")
	return cmd
}

// plotFormat is the format to draw in, known before anything is read.
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
		return "", usagef("--out - needs --format png, svg or pdf, not %q", format)
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

func parseAlign(s string) (plots.Align, error) {
	switch s {
	case "start":
		return plots.AlignStart, nil
	case "clock":
		return plots.AlignClock, nil
	}
	return 0, usagef("--align is start or clock, not %q", s)
}

func parseUnits(s string) (article bool, err error) {
	switch s {
	case "auto", "article":
		return s == "article", nil
	}
	return false, usagef("--units is auto or article, not %q", s)
}

// logNames are the labels, or without any the arguments.
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

// readLog reads one log; what is wrong with single lines goes to Stderr.
func readLog(env *Env, arg, name string, strict bool) (*plots.Log, error) {
	in, file := env.Stdin, "standard input"
	if arg != "-" {
		f, err := os.Open(arg)
		if err != nil {
			return nil, fmt.Errorf("cannot read the log: %w", err)
		}
		defer f.Close()
		in, file = io.Reader(f), arg
	}
	log, notes, err := plots.Read(in, file, name, strict)
	for _, note := range notes {
		fmt.Fprintf(env.Stderr, "comet: %s\n", note)
	}
	return log, err
}
