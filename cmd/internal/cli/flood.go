package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"example.org/comet/flood"
	"example.org/comet/flood/pace"
	"example.org/comet/memlog/series"
	"example.org/comet/server/wire"
	"example.org/comet/sysctl"
)

func newFlood(env *Env) *cobra.Command {
	var (
		cfg       flood.Config
		urlFile   string
		ids       string
		sources   []string
		logFile   string
		asJSON    bool
		attended  bool
		rate      = rateValue{}
		runs      runWords
		interval  duration
		conns     count
		inFlight  count = 512
		planEnd   duration
		timeout   = duration(30 * time.Second)
		sampleInt = duration(time.Second)
	)
	cmd := &cobra.Command{
		Use:   "flood [URL]",
		Short: "Open many streaming connections and count what comes",
		Long: `flood opens streaming connections to any HTTP/1 server, holds them, and prints
each second how many are connected, how many have closed, and how many chunks
have come:

  Stats: {825,0,0}

Messages stamped by comet msggen also give latency, from when each was due, and
exact counts of what was lost, duplicated or reordered. The end of the run
prints them all.

One address to connect from reaches some 28,000 connections to one server
address; more source addresses multiply that.`,
		Example: `  comet flood 'http://127.0.0.1:8000/test/{id}' -c 10k
  comet flood 'http://127.0.0.1:8000/test/{id}' -c 100k --source-ip 127.0.0.2-127.0.0.6
  comet flood --urls mochi-urls.txt --interval 10ms
  comet flood 'http://127.0.0.1:80/sub/{id}' --ids 1-5000 -d 60s --json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("flood takes one URL, got %q as well; --urls FILE takes many", args[1])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				if cfg.URL != "" {
					return usagef("the URL is given twice: %q and %q", cfg.URL, args[0])
				}
				cfg.URL = args[0]
			}
			var err error
			if urlFile != "" {
				if cfg.URLs, err = readURLs(env, urlFile); err != nil {
					return err
				}
			}
			if cfg.FirstID, cfg.LastID, err = parseIDRange(ids); err != nil {
				return err
			}
			if cfg.Sources, err = flood.ParseSources(sources); err != nil {
				return usageError{err}
			}
			if cfg.Pace, err = connectPace(rate, time.Duration(interval)); err != nil {
				return err
			}
			cfg.Connections, cfg.InFlight = int(conns), int(inFlight)
			cfg.Duration, cfg.ConnectTimeout = time.Duration(planEnd), time.Duration(timeout)
			cfg.SampleInterval = time.Duration(sampleInt)
			cfg.Logger, cfg.Run = env.Logger(), runs
			out, err := newFloodOutput(env, asJSON, logFile)
			if err != nil {
				return err
			}
			defer out.close()
			cfg.OnSample = out.sample
			return runFlood(cmd, env, cfg, out, attended)
		},
	}
	f := cmd.Flags()
	f.StringVar(&cfg.URL, "url", "", "the `URL` of a stream; {id} in it is replaced by an id")
	f.StringVar(&urlFile, "urls", "", "`file` with a URL per line, one connection each; - is standard input")
	f.VarP(&conns, "connections", "c", "how many to open (default: one per URL or id)")
	f.StringVar(&ids, "ids", "", "the ids for {id}, `FIRST-LAST` (default 1 to the number of connections)")
	f.Var(&rate, "connect-rate", "connections a second, or max")
	f.Var(&interval, "interval", "time between connections, instead of --connect-rate")
	f.StringArrayVar(&sources, "source-ip", nil, "`address` to connect from: 127.0.0.2, 127.0.0.2-127.0.0.18 or 127.0.1.0/24; repeatable")
	f.StringArrayVarP(&cfg.Header, "header", "H", nil, "request header `\"Name: value\"`; repeatable")
	f.VarP(&planEnd, "duration", "d", "end after this time (default: when interrupted)")
	f.Var(&inFlight, "in-flight", "the most connections that wait for their first byte")
	f.Var(&timeout, "connect-timeout", "how long a connection may wait for its first byte")
	f.StringVar(&logFile, "log", "", "append a line each second to this `file`, for comet plot")
	f.BoolVar(&asJSON, "json", false, "print JSON lines instead")
	f.Var(&sampleInt, "sample-interval", "how often to print")
	f.BoolVar(&attended, "attended", false, "a line on standard input starts the run, its end stops it")
	f.Var(&runs, "run", "the `word` of a run of msggen whose messages count, and no others; repeatable")
	_ = f.MarkHidden("run")
	_ = f.MarkHidden("sample-interval")
	_ = f.MarkHidden("attended")
	return cmd
}

func runFlood(cmd *cobra.Command, env *Env, cfg flood.Config, out *floodOutput, attended bool) error {
	if err := cfg.Validate(); err != nil {
		return usageError{err}
	}
	fl, err := flood.New(cfg)
	if err != nil {
		return usageError{err}
	}
	if err := checkLimits(env, sysctl.Need{
		Connections:     fl.Connections(),
		Role:            sysctl.Client,
		SourceAddresses: len(cfg.Sources),
		Destinations:    len(fl.Destinations()),
	}); err != nil {
		return err
	}
	ctx := cmd.Context()
	if attended {
		stdin := bufio.NewReader(env.Stdin)
		if err := out.line("ready", nil); err != nil {
			return err
		}
		if _, err := stdin.ReadString('\n'); err != nil {
			return nil // nobody wants it to run any more
		}
		ctx = untilEOF(ctx, stdin)
	}
	result, err := fl.Run(ctx)
	if err != nil {
		return err
	}
	if cfg.Duration > 0 {
		err = planned(cmd.Context(), nil)
	}
	if outErr := out.result(result, err != nil); outErr != nil {
		return outErr
	}
	if err == nil && result.Established() == 0 {
		if result.Explanation == "" {
			return fmt.Errorf("none of %d connections was answered before the end", result.Asked)
		}
		return errors.New(result.Explanation)
	}
	return err
}

// readURLs reads a URL per line; empty lines and # lines are nothing.
func readURLs(env *Env, name string) ([]string, error) {
	in := env.Stdin
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, usageError{err}
		}
		defer file.Close()
		in = file
	}
	var urls []string
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if line := strings.TrimSpace(lines.Text()); line != "" && line[0] != '#' {
			urls = append(urls, line)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, usagef("reading URLs from %s: %w", name, err)
	}
	if len(urls) == 0 {
		return nil, usagef("there is no URL in %s", name)
	}
	return urls, nil
}

func parseIDRange(text string) (first, last int64, err error) {
	if text == "" {
		return 0, 0, nil
	}
	from, to, isRange := strings.Cut(text, "-")
	if !isRange {
		to = from
	}
	first, err = parseCount(from)
	if err == nil {
		last, err = parseCount(to)
	}
	if err != nil || first < 0 || last < first || last == 0 {
		return 0, 0, usagef("--ids %q: write FIRST-LAST, such as 1-10000", text)
	}
	return first, last, nil
}

// rateValue is a flag value: events a second, or max.
type rateValue struct {
	pace.Pacer
	text string
}

func (r *rateValue) String() string {
	if r.text == "" {
		return "max"
	}
	return r.text
}
func (r *rateValue) Type() string { return "rate" }

func (r *rateValue) Set(s string) error {
	if s == "max" {
		*r = rateValue{text: s}
		return nil
	}
	n, err := parseRate(s)
	if err != nil {
		return err
	}
	p, err := pace.PerSecond(n)
	if err != nil {
		return err
	}
	*r = rateValue{p, s}
	return nil
}

// runWords is a repeatable flag value: the words of runs.
type runWords []wire.Run

func (r *runWords) String() string { return "" }
func (r *runWords) Type() string   { return "word" }

func (r *runWords) Set(s string) error {
	var run wire.Run
	if err := run.UnmarshalText([]byte(s)); err != nil {
		return err
	}
	*r = append(*r, run)
	return nil
}

func connectPace(rate rateValue, interval time.Duration) (pace.Pacer, error) {
	switch {
	case interval == 0:
		return rate.Pacer, nil
	case rate.text != "":
		return pace.Pacer{}, usagef("--connect-rate and --interval exclude each other")
	}
	return pace.Every(interval), nil
}

// floodOutput prints what a flood reports.
type floodOutput struct {
	env  *Env
	json bool
	log  *series.Writer
	file io.Closer
	last time.Time
}

func newFloodOutput(env *Env, asJSON bool, logFile string) (*floodOutput, error) {
	o := &floodOutput{env: env, json: asJSON}
	if logFile != "" {
		w, err := series.OpenAppend(logFile)
		if err != nil {
			return nil, usageError{err}
		}
		o.log, o.file = w, w
	}
	return o, nil
}

func (o *floodOutput) close() {
	if o.file != nil {
		o.file.Close()
	}
}

// line prints one JSON line: {"type":kind, …}.
func (o *floodOutput) line(kind string, body any) error {
	return jsonLine(o.env.Stdout, kind, body)
}

func (o *floodOutput) sample(s flood.Sample) {
	if o.json {
		// An error means that nobody reads; the run's end will say so.
		_ = o.line("sample", s)
		if s.Connected != nil {
			_ = o.line("connected", s.Connected)
		}
	} else {
		fmt.Fprintf(o.env.Stdout, "Stats: {%d,%d,%d}\n", s.Counts.Connected, s.Closed, s.Chunks)
	}
	if o.log == nil || s.Time.Sub(o.last) < time.Second/2 {
		return
	}
	o.last = s.Time
	if err := o.log.Write(s.LogLine()); err != nil {
		o.env.Logger().Warn("a line of the flood log was lost", "error", err)
	}
}

func (o *floodOutput) result(r flood.Result, interrupted bool) error {
	if o.json {
		return o.line("result", struct {
			flood.Result
			Interrupted bool `json:"interrupted"`
		}{r, interrupted})
	}
	w := o.env.Stdout
	fmt.Fprintf(w, "connected %d of %d in %.2f s (%.0f/s); %d closed since, %d failed\n",
		r.Established(), r.Asked, r.ConnectSeconds, perSecond(r.Established(), r.ConnectSeconds), r.Closed, r.Failed)
	printQuantiles(w, "first byte", r.FirstByte)
	fmt.Fprintf(w, "chunks %d", r.Chunks)
	if r.Stamped > 0 {
		fmt.Fprintf(w, "; of %d stamped messages %d distinct, %d duplicated, %d reordered, %d missing", r.Stamped, r.Delivered, r.Duplicated, r.Reordered, r.Missing)
	}
	_, err := fmt.Fprintln(w)
	printQuantiles(w, "due to received", r.Latency)
	if r.Explanation != "" && r.Established() > 0 { // else it is the error
		fmt.Fprintf(o.env.Stderr, "comet: %s\n", r.Explanation)
	}
	if r.Bottleneck != "" {
		fmt.Fprintf(o.env.Stderr, "comet: limited by %s\n", r.Bottleneck)
	}
	return err
}

func perSecond(n int, seconds float64) float64 {
	if seconds <= 0 {
		return 0
	}
	return float64(n) / seconds
}

func printQuantiles(w io.Writer, name string, q *flood.Quantiles) {
	if q != nil {
		fmt.Fprintf(w, "%s: p50 %.3g ms, p90 %.3g ms, p99 %.3g ms, max %.3g ms\n", name, q.P50, q.P90, q.P99, q.Max)
	}
}

// jsonLine prints body, a struct or nil, as one line with its kind in front.
func jsonLine(w io.Writer, kind string, body any) error {
	line := []byte(`{"type":"` + kind + `"`)
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		if len(text) > len("{}") {
			line = append(append(line, ','), text[1:len(text)-1]...)
		}
	}
	_, err := w.Write(append(line, "}\n"...))
	return err
}
