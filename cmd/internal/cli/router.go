package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"

	"github.com/spf13/cobra"

	"example.org/comet/cmd/internal/flags"
	"example.org/comet/cmd/internal/version"
	"example.org/comet/server/natsrouter/broker"
)

func newRouter(env *Env, run func(context.Context, *Env, *flags.RouterCommand) error) *cobra.Command {
	o := new(flags.RouterCommand)
	cmd := describe(&cobra.Command{
		Use:  "router",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.Complete(env.Getenv); err != nil {
				return usageError{err}
			}
			return run(cmd.Context(), env, o)
		},
	}, "router")
	o.Bind(cmd.Flags())
	return cmd
}

// runRouter routes until ctx ends.
func runRouter(ctx context.Context, env *Env, o *flags.RouterCommand) error {
	env.HangupReopens()
	env.OutlivesReaders()
	cfg := o.Config
	cfg.Logger, cfg.Version = env.Logger(), version.Get().Version
	if err := cfg.Validate(); err != nil {
		return usageError{err}
	}
	r, err := broker.New(cfg)
	if err != nil {
		return usageError{err}
	}
	if err := announceRouter(env, r, cfg, o.JSON); err != nil {
		env.Logger().Warn("where the router listens could not be printed", "error", err) // as to a full disk
	}
	if o.EndWithStdin {
		ctx = untilEOF(ctx, env.Stdin)
	}
	return r.Run(ctx)
}

// announceRouter prints where the router is, and what to give to the others.
func announceRouter(env *Env, r *broker.Broker, cfg broker.Config, asJSON bool) error {
	if asJSON {
		line := struct {
			Type    string `json:"type"`
			URL     string `json:"url"`
			Addr    string `json:"addr"`
			Admin   string `json:"admin"`
			Cluster string `json:"cluster,omitempty"`
			Route   string `json:"route,omitempty"`
		}{Type: "listening", URL: r.URL(), Addr: r.Addr().String(), Admin: r.AdminAddr().String(), Cluster: addressText(r.ClusterAddr()), Route: r.RouteURL()}
		return json.NewEncoder(env.Stdout).Encode(line)
	}
	more := ""
	switch {
	case cfg.CAFile != "":
		more = " --router-ca FILE --router-cert FILE --router-key FILE"
	case cfg.CertFile != "":
		more = " [--router-ca FILE]"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "router on %s, questions to %s://%s/stats\n", r.URL(), schemeOf(cfg.AdminCertFile), r.AdminAddr())
	if cfg.Credentials != "" {
		fmt.Fprintf(&b, "with the same credentials, by --router-credentials FILE or COMET_ROUTER_CREDENTIALS:\n")
	}
	fmt.Fprintf(&b, "  comet serve  --router %s%s\n", r.URL(), more)
	fmt.Fprintf(&b, "  comet send   --router %s%s ID MESSAGE\n", r.URL(), more)
	fmt.Fprintf(&b, "  comet msggen --router %s%s\n", r.URL(), more)
	fmt.Fprintf(&b, "  comet agent  --router %s%s\n", r.URL(), more)
	if route := r.RouteURL(); route != "" {
		fmt.Fprintf(&b, "  comet router --routes %s --cluster-listen ADDRESS\n", route)
	}
	_, err := fmt.Fprint(env.Stdout, b.String())
	return err
}

func addressText(addr net.Addr) string {
	if addr == nil {
		return ""
	}
	return addr.String()
}
