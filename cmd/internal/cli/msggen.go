package cli

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"

	"example.org/comet/cmd/internal/flags"
	"example.org/comet/msggen"
	"example.org/comet/server/natsrouter"
)

func newMsggen(env *Env, run func(context.Context, *Env, *flags.MsggenCommand) error) *cobra.Command {
	o := new(flags.MsggenCommand)
	cmd := describe(&cobra.Command{
		Use:  "msggen",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := flags.ReadUsers(&o.Config.Users, env.Stdin); err != nil {
				return usage(err)
			}
			if err := o.Complete(cmd.Flags(), env.Getenv); err != nil {
				return usageError{err}
			}
			return run(cmd.Context(), env, o)
		},
	}, "msggen")
	o.Bind(cmd.Flags())
	return cmd
}

// runMsggen generates messages as o says and reports.
func runMsggen(ctx context.Context, env *Env, o *flags.MsggenCommand) error {
	cfg := o.Config
	cfg.Logger, cfg.Alone = env.Logger(), true
	if env.Getenv("GOMAXPROCS") == "" && runtime.GOMAXPROCS(0) == 1 {
		runtime.GOMAXPROCS(2) // one is kept by who waits for the next message
	}
	page, closePage, err := watch(env, &o.Metrics, msggenTitle(o))
	if err != nil {
		return err
	}
	defer closePage()
	sender, err := await(ctx, func() (msggen.Sender, error) { return newSender(cfg.Logger, o) })
	if err != nil {
		return usage(err)
	}
	if sender != nil {
		cfg.Sender, cfg.To, cfg.Events = sender, "", false // it knows
	}
	running := ctx
	if o.Feedback {
		running, cfg.Delivered = readFeedback(ctx, env.Stdin)
	}
	generator, err := msggen.New(cfg)
	if err != nil {
		return usageError{flags.ByFlag(err)}
	}
	out, err := newMsggenOutput(env, generator, o.JSON, o.Log)
	if err != nil {
		return err
	}
	defer out.close()
	out.planned = cfg.Count > 0 || cfg.Duration > 0
	out.attended = o.Feedback
	out.page = newMsggenPage(page)
	err = out.generate(running)
	if out.planned {
		err = planned(ctx, err)
	}
	return err
}

// newSender returns the sender for --publish or --router, nil without them.
func newSender(logger *slog.Logger, o *flags.MsggenCommand) (msggen.Sender, error) {
	switch {
	case o.Router.Given():
		servers := o.Servers
		servers.Name, servers.Logger = "comet msggen", logger
		sender, err := natsrouter.NewSender(servers)
		if err != nil {
			return nil, err
		}
		sender.Events = o.Config.Events
		return sender, nil
	case o.Publish.URL != "":
		return msggen.NewPublishSender(o.Publish)
	}
	return nil, nil
}

// readFeedback reads from r how many messages were delivered so far, the last
// line counts, and ends the context when r ends.
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
