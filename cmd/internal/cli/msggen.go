package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"example.org/comet/msggen"
)

func newMsggen(env *Env) *cobra.Command {
	var (
		cfg       msggen.Config
		tokenFile string
		rate      string
		asJSON    bool
		feedback  bool
		perSender count
		interval  = duration(msggen.DefaultInterval)
		senders   = count(1)
		firstID   = count(1)
		maxID     = count(10_000)
		window    = count(msggen.DefaultWindow)
		size      count
		length    duration
	)
	cmd := &cobra.Command{
		Use:   "msggen",
		Short: "Send random messages to random users",
		Long: `msggen sends messages to a comet server's admin listener, each to an id drawn
at random, when it is due, whatever the server does: what is sent late counts
as late, and what cannot be sent while the server is away counts as refused.

Each sender sends one message every --interval; or all of them together send
--rate a second, or as fast as the --window allows. The senders' random numbers
all come from one --seed, which is printed: the same seed, the same ids.

Each message carries a stamp, by which comet flood tells what is late, missing,
duplicated or reordered.`,
		Example: `  comet msggen --count 20 --interval 10ms --max-id 5
  comet msggen --count 1M --interval 100ms --max-id 10k --senders 100
  comet msggen --rate 5k --max-id 10k -d 60s --size 500
  comet msggen --rate max --max-id 10k -d 10s`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			token, err := adminToken(env, tokenFile)
			if err != nil {
				return err
			}
			cfg.Token = token
			if err := paceFlags(&cfg, rate, time.Duration(interval), cmd.Flags().Changed("interval")); err != nil {
				return err
			}
			cfg.Senders = int(senders)
			cfg.FirstID, cfg.MaxID = int64(firstID), int64(maxID)
			cfg.Window = int(window)
			cfg.Size = int(size)
			cfg.Count = uint64(perSender)
			cfg.Duration = time.Duration(length)
			cfg.Logger = env.Logger()

			ctx := cmd.Context()
			if feedback {
				ctx, cfg.Delivered = readFeedback(ctx, env.Stdin)
			}
			generator, err := msggen.New(cfg)
			if err != nil {
				return usageError{err}
			}
			err = generate(ctx, env, generator, asJSON)
			if cfg.Count > 0 || cfg.Duration > 0 {
				err = planned(ctx, err)
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&cfg.To, "to", "http://127.0.0.1:8001/send", "`URL` of a comet server's /send")
	f.StringVar(&tokenFile, "admin-token-file", "", "`file` with the server's admin token (or COMET_ADMIN_TOKEN)")
	f.Var(&perSender, "count", "messages of each sender; 0 is no end")
	f.Var(&interval, "interval", "time between two messages of a sender")
	f.StringVarP(&rate, "rate", "r", "", "messages a second of all senders together, or max; instead of --interval")
	f.Var(&senders, "senders", "how many the messages come from")
	f.Var(&firstID, "first-id", "the lowest id that gets messages")
	f.Var(&maxID, "max-id", "the highest id that gets messages")
	f.Var(&size, "size", "least length of a message in bytes; 0 is that of its text")
	f.Uint64Var(&cfg.Seed, "seed", 0, "`number` that all random numbers come from; 0 picks one")
	f.VarP(&length, "duration", "d", "how long to send; 0 is no end")
	f.Var(&window, "window", "with --rate max: how many messages may be on their way")
	f.BoolVar(&asJSON, "json", false, "print JSON lines: a sample each second, and the result")
	f.BoolVar(&feedback, "feedback", false, "standard input says, a number a line, how many messages were delivered; its end ends the run")
	_ = f.MarkHidden("feedback") // for bench; fails only for a name that is no flag
	return cmd
}

// paceFlags sets what says when a message is due, from --rate or --interval.
func paceFlags(cfg *msggen.Config, rate string, interval time.Duration, intervalGiven bool) error {
	switch {
	case rate != "" && intervalGiven:
		return usagef("--rate and --interval both say when messages are due: give one of them")
	case rate == "":
		if interval == 0 {
			return usagef("--interval 0 is no pace: write --rate max to send as fast as possible")
		}
		cfg.Interval = interval
		return nil
	case rate == "max":
		cfg.Max = true
		return nil
	}
	perSecond, err := parseRate(rate)
	if err != nil {
		return usagef("--rate: %w", err)
	}
	cfg.Rate = perSecond
	return nil
}

// parseRate reads a number of messages a second: 1000, 10k, 0.5.
func parseRate(s string) (float64, error) {
	rate, err := strconv.ParseFloat(s, 64)
	if n, countErr := parseCount(s); countErr == nil {
		rate, err = float64(n), nil
	}
	if err != nil || !(rate > 0) {
		return 0, fmt.Errorf("%q is not a rate: write 1000, 10k, 0.5 or max", s)
	}
	return rate, nil
}

// readFeedback reads from r how many messages were delivered so far, the last
// line counts, and ends the context when r ends. Its goroutine lasts until
// then, as reading standard input cannot be cut short.
func readFeedback(ctx context.Context, r io.Reader) (context.Context, func() uint64) {
	ctx, cancel := context.WithCancel(ctx)
	var delivered atomic.Uint64
	go func() {
		defer cancel()
		for lines := bufio.NewScanner(r); lines.Scan(); {
			if n, err := strconv.ParseUint(strings.TrimSpace(lines.Text()), 10, 64); err == nil {
				delivered.Store(n)
			}
		}
	}()
	return ctx, delivered.Load
}

// generate runs the generator and reports each second and at the end.
func generate(ctx context.Context, env *Env, generator *msggen.Generator, asJSON bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	report := textReport
	if asJSON {
		report = jsonReport
	}
	type outcome struct {
		result msggen.Result
		err    error
	}
	ended := make(chan outcome, 1)
	go func() {
		result, err := generator.Run(ctx)
		ended <- outcome{result, err}
	}()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	var unwritable error
	for {
		select {
		case <-second.C:
			if asJSON || env.verbosity >= 0 {
				if unwritable = report(env.Stdout, msggen.Result{Stats: generator.Stats()}, false); unwritable != nil {
					cancel() // nobody reads on: end, and take the last answer
				}
			}
		case end := <-ended:
			if unwritable != nil {
				return unwritable
			}
			if end.err != nil && end.result.Asked == 0 {
				return end.err // nothing was sent: nothing to report
			}
			if err := report(env.Stdout, end.result, true); err != nil {
				return err
			}
			return end.err
		}
	}
}

// jsonReport writes a line of JSON.
func jsonReport(w io.Writer, r msggen.Result, last bool) error {
	if !last {
		return json.NewEncoder(w).Encode(struct {
			Type string `json:"type"`
			msggen.Stats
		}{"sample", r.Stats})
	}
	return json.NewEncoder(w).Encode(struct {
		Type string `json:"type"`
		msggen.Result
	}{"result", r})
}

// textReport writes a line for a person, and the summary at the end.
func textReport(w io.Writer, r msggen.Result, last bool) error {
	var b strings.Builder
	if last {
		fmt.Fprintf(&b, "%d messages in %.1f s", r.Asked, r.Seconds)
		if r.Seconds > 0 {
			fmt.Fprintf(&b, ", %.0f/s", float64(r.Asked)/r.Seconds)
		}
		b.WriteString(": ")
	}
	fmt.Fprintf(&b, "sent %d, reached %d, unaddressed %d", r.Sent+r.Unanswered, r.Reached, r.Unaddressed)
	for _, rare := range []struct {
		name string
		n    uint64
	}{{"refused", r.Refused}, {"unknown", r.Unknown}, {"never seen delivered", r.WrittenOff}} {
		if rare.n > 0 {
			fmt.Fprintf(&b, ", %s %d", rare.name, rare.n)
		}
	}
	if r.Late != nil {
		fmt.Fprintf(&b, "; late by p50 %.2f ms, p99 %.2f ms, max %.2f ms", r.Late.P50, r.Late.P99, r.Late.Max)
	}
	if r.Away {
		b.WriteString("; the server is away")
	}
	b.WriteString("\n")
	if last {
		fmt.Fprintf(&b, "seed %d, run %s\n", r.Seed, r.Run)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
