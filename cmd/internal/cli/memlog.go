package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"example.org/comet/memlog"
	"example.org/comet/memlog/series"
	"example.org/comet/memlog/sockdiag"
)

// memlogFlags are the flags of memlog as they are written.
type memlogFlags struct {
	cfg       memlog.Config
	listen    []string
	out       string
	mark      string
	tokenFile string
	interval  duration
	length    duration
	withStdin bool
}

func newMemlog(env *Env) *cobra.Command {
	o := &memlogFlags{interval: duration(memlog.DefaultInterval)}
	cmd := &cobra.Command{
		Use:   "memlog (--pid N[,N...] | --match PATTERN | --mark TEXT --out FILE)",
		Short: "Log the memory and connections of any process",
		Long: `memlog appends a line at every interval:

  Mon Oct 20 16:57:24 BST 2008  1224518244  40388  1  pid=4711 ...

the date, unix time, resident kilobytes, established connections, separated by
tabs, then pid= start= procs= cpu_s= fds= threads= where known. What is not
known is "-". comet plot draws it, and so does any awk. Samples that a full disk
has cost are counted in lost= of the first line after them.

The process is named by pid or by a regular expression that matches its command
line; its descendants are counted with it. A pattern never finds memlog itself
or the shell that started it. When what it matched ends, memlog waits for it to
be started again; when the processes named by pid end, memlog ends: exit code 0,
or 1 if that is before the --duration asked for. Ctrl-C and SIGTERM end it too.

Connections are counted at the addresses of --listen (Linux). If the process
lives in another network namespace, a container's, they are counted there. With
--stats the server is asked for its own count too, which becomes server_conns=;
no line waits for the answer. A collection that POST /gc forced marks the next
line event=gc.

--mark appends one line with event=TEXT to a log, whether or not a memlog is
appending to it just now. What the log watches is measured for that line.`,
		Example: `  comet memlog --match 'nginx: master' --listen 8000
  comet memlog --pid 4711 --listen 127.0.0.1:8000 --interval 1s -d 10m -o mem.log
  comet memlog --match beam --listen :8000 --listen '[::1]:8443' -o mem.log
  comet memlog --match 'comet serve' --listen 8000 --stats http://127.0.0.1:8001/stats -o mem.log
  comet memlog --mark 'messages begin' -o mem.log
  comet memlog --pid 4711,4712 --listen 127.0.0.0/8 | tee -a mem.log`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd, env) },
	}
	o.register(cmd.Flags())
	return cmd
}

func (o *memlogFlags) register(f *pflag.FlagSet) {
	f.Int32SliceVar(&o.cfg.PIDs, "pid", nil, "watch the processes `N[,N...]` and their descendants")
	f.Lookup("pid").DefValue = "" // else the help says "default []"
	f.StringVar(&o.cfg.Match, "match", "", "watch the process whose command line matches the regular expression `PATTERN`, and its descendants")
	f.BoolVar(&o.cfg.NoChildren, "no-children", false, "leave the descendants out")
	f.BoolVar(&o.cfg.PSS, "pss", false, "add pss_kb=, which counts shared memory once (Linux; 20 ms for each GiB)")
	f.StringSliceVar(&o.listen, "listen", nil, "count connections at this local `PORT`, ADDRESS:PORT or prefix such as 127.0.0.0/8:8000; repeatable")
	f.StringVar(&o.cfg.StatsURL, "stats", "", "ask the server at this `URL` for its own count of connections: JSON with a number \"connections\"")
	f.StringVar(&o.tokenFile, "admin-token-file", "", "`file` with the token that --stats needs (or COMET_ADMIN_TOKEN)")
	f.StringVar(&o.mark, "mark", "", "append one line with event=`TEXT` to the log --out, and end")
	f.Var(&o.interval, "interval", "time from one line to the next")
	f.VarP(&o.length, "duration", "d", "end after this time, with a last line; 0s is never")
	f.StringVarP(&o.out, "out", "o", "-", "append to `FILE`; - is standard output")
	endWithStdin(f, &o.withStdin)
}

func (o *memlogFlags) run(cmd *cobra.Command, env *Env) error {
	if cmd.Flags().Changed("mark") {
		return o.runMark(cmd, env)
	}
	if err := o.config(env); err != nil {
		return err
	}
	out, err := o.open(env)
	if err != nil {
		return usageError{err}
	}
	defer out.Close()
	o.cfg.Out = out
	log, err := memlog.New(o.cfg)
	if err != nil {
		return usageError{err}
	}
	if o.out != "-" {
		o.cfg.Logger.Info("watching", "out", o.out, "interval", o.cfg.Interval)
	}
	ctx := cmd.Context()
	if o.withStdin {
		ctx = untilEOF(ctx, env.Stdin)
	}
	err = log.Run(ctx)
	if o.cfg.Duration > 0 {
		return planned(cmd.Context(), err)
	}
	if errors.Is(err, memlog.ErrTargetGone) { // as good an end as any, if none was planned
		o.cfg.Logger.Info("done", "reason", err)
		return nil
	}
	return err
}

// runMark puts an event into a log.
func (o *memlogFlags) runMark(cmd *cobra.Command, env *Env) error {
	var other string
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if f.Name != "mark" && f.Name != "out" && cmd.InheritedFlags().Lookup(f.Name) == nil {
			other = f.Name
		}
	})
	switch {
	case other != "":
		return usagef("--%s says nothing about an event: --mark goes with --out alone", other)
	case o.out == "-":
		return usagef("say which log to mark: --mark TEXT --out FILE")
	case strings.TrimSpace(o.mark) == "":
		return usagef("an event needs a text: --mark 'messages begin'")
	}
	s, err := memlog.Mark(o.out, o.mark)
	if errors.Is(err, fs.ErrNotExist) {
		return usageError{fmt.Errorf("%w; begin one by --pid or --match", err)}
	}
	if err != nil {
		return err
	}
	measured := s.RSSKB != series.Unknown
	env.Logger().Info("marked", "out", o.out, "event", o.mark, "measured", measured)
	return nil
}

// config completes the Config but for Out.
func (o *memlogFlags) config(env *Env) error {
	if o.interval == 0 {
		return usagef("--interval must be above 0: write 1s or 500ms")
	}
	o.cfg.Interval, o.cfg.Duration = time.Duration(o.interval), time.Duration(o.length)
	o.cfg.Logger = env.Logger()
	if o.tokenFile != "" && o.cfg.StatsURL == "" {
		return usagef("--admin-token-file goes with --stats")
	}
	if o.cfg.StatsURL != "" {
		token, err := adminToken(env, o.tokenFile)
		if err != nil {
			return err
		}
		o.cfg.StatsToken = token
	}
	for _, s := range o.listen {
		filter, err := sockdiag.ParseFilter(s)
		if err != nil {
			return usagef("--listen: %w", err)
		}
		o.cfg.Listen = append(o.cfg.Listen, filter)
	}
	if len(o.cfg.PIDs) == 0 && o.cfg.Match == "" {
		return usagef("say which process to watch: --pid N or --match PATTERN")
	}
	return nil
}

// open opens the log, unless the target is not to be found: then a file made
// for it would only be left empty.
func (o *memlogFlags) open(env *Env) (*series.Writer, error) {
	quiet := o.cfg
	quiet.Listen, quiet.Logger = nil, nil
	target, err := memlog.NewSampler(quiet)
	if err != nil {
		return nil, err
	}
	defer target.Close()
	out := series.NewWriter(env.Stdout)
	if o.out != "-" {
		if out, err = series.OpenAppend(o.out); err != nil {
			return nil, err
		}
	}
	out.Millis = o.cfg.Interval%time.Second != 0
	return out, nil
}
