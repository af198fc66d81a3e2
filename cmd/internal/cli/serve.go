package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"example.org/comet/cmd/internal/flags"
	"example.org/comet/cmd/internal/version"
	"example.org/comet/server"
	"example.org/comet/server/natsrouter"
)

func newServe(env *Env, run func(context.Context, *Env, *flags.ServeCommand) error) *cobra.Command {
	o := new(flags.ServeCommand)
	cmd := describe(&cobra.Command{
		Use:  "serve",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.Complete(cmd.Flags(), env.Getenv); err != nil {
				return usageError{err}
			}
			return run(cmd.Context(), env, o)
		},
	}, "serve")
	o.Bind(cmd.Flags())
	return cmd
}

// runServe serves until ctx ends.
func runServe(ctx context.Context, env *Env, o *flags.ServeCommand) error {
	env.HangupReopens()
	env.OutlivesReaders()
	cfg, node := o.Config, o.Node
	cfg.Logger, node.Servers.Logger = env.Logger(), env.Logger()
	cfg.Version = version.Get().Version
	if err := cfg.Validate(); err != nil {
		return usageError{err}
	}
	log, closeLog, err := openAccessLog(env, o.AccessLog)
	if err != nil {
		return usageError{err}
	}
	defer closeLog()
	cfg.AccessLog = log
	if o.Router.Given() {
		exchange, err := joinRouter(ctx, env, node)
		switch {
		case isAsked(ctx):
			return nil // it has no planned end, also as it starts
		case err != nil:
			return usage(err)
		}
		defer exchange.Close()
		cfg.Exchange = exchange
	}
	s, err := server.New(cfg)
	if err != nil {
		return usageError{err}
	}
	defer env.OnReopen(func() error { return reloadKeys(env, s, o) })()
	if err := announce(env, s, o); err != nil {
		env.Logger().Warn("where the server listens could not be printed", "error", err) // as to a full disk
	}
	if o.EndWithStdin {
		ctx = untilEOF(ctx, env.Stdin)
	}
	return s.Run(ctx)
}

// reloadKeys reads the keys of tokens again, and says what came of it.
func reloadKeys(env *Env, s *server.Server, o *flags.ServeCommand) error {
	if o.Config.AuthKeyFile == "" {
		return nil
	}
	if err := s.ReloadKeys(); err != nil {
		env.Logger().Error("the keys of tokens could not be read again; the old ones stay in use", "error", err)
		return nil
	}
	env.Logger().Info("the keys of tokens were read again", "file", o.Config.AuthKeyFile)
	return nil
}

// joinRouter makes the server one of many.
func joinRouter(ctx context.Context, env *Env, node natsrouter.NodeConfig) (*natsrouter.Node, error) {
	exchange, err := natsrouter.NewNode(ctx, node)
	if err == nil && env.Getenv("GOGC") == "" {
		// The heap is subscriptions that stay, and the garbage of making them. Less
		// of that saves some 100 of 600 bytes for each of 15,000, for about 2 % of
		// the CPU time per message.
		debug.SetGCPercent(25)
	}
	return exchange, err
}

// announce prints where the server is.
func announce(env *Env, s *server.Server, o *flags.ServeCommand) error {
	routers := o.Router.URLs
	if o.JSON {
		return json.NewEncoder(env.Stdout).Encode(struct {
			Type    string   `json:"type"`
			Addr    string   `json:"addr"`
			Admin   string   `json:"admin"`
			Max     int64    `json:"max_connections"`
			Routers []string `json:"routers,omitempty"`
		}{"listening", s.Addr().String(), s.AdminAddr().String(), s.MaxConnections(), routers})
	}
	through := ""
	if len(routers) > 0 {
		through = ", router " + strings.Join(routers, ",")
	}
	_, err := fmt.Fprintf(env.Stdout, "streams on %s://%s/test/{id}, messages to %s://%s/send, at most %d connections%s\n",
		schemeOf(o.Config.TLSCertFile), s.Addr(), schemeOf(o.Config.AdminCertFile), s.AdminAddr(), s.MaxConnections(), through)
	return err
}

// schemeOf returns the scheme of a listener with this certificate, "" for none.
func schemeOf(certFile string) string {
	if certFile == "" {
		return "http"
	}
	return "https"
}
