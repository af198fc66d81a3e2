package cli

import (
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"example.org/comet/server/natsrouter/broker"
)

func newRouter(env *Env) *cobra.Command {
	var (
		cfg         broker.Config
		credentials string
		tokenFile   string
		asJSON      bool
		withStdin   bool
		drain       = duration(5 * time.Second)
	)
	cmd := &cobra.Command{
		Use:   "router",
		Short: "Run the router that joins several comet servers to one",
		Long: `router takes each message to the comet servers where its user is logged in. It
is for more than one server: comet serve alone routes in its own memory.

It is a NATS server (nats.io), set up for this use and part of comet: nothing
else is to be installed. Any NATS server or cluster that you already have will
do as well: then no comet router is needed, and comet serve --router is given
its address.

  servers      comet serve  --router nats://host:4222
  messages     comet send   --router nats://host:4222 123 "Hello World"
               comet msggen --router nats://host:4222

Several routers make a cluster, so that one may fail: each has a
--cluster-listen, and --routes with the address of another's; they learn of the
rest by themselves, and so do the servers.

Who reaches the router can read and send every message. Off loopback it
therefore demands credentials, "user:password" or a token, in a file or in
COMET_ROUTER_CREDENTIALS. They are the same for servers, senders and the other
routers. Over networks that are not yours, give it a certificate too.

The admin listener answers questions:

  GET  /stats /metrics /healthz /readyz /debug/pprof/    POST /gc

/readyz is 503 while none of the routers asked for with --routes is reached.

SIGTERM or Ctrl-C: the servers are told, move to the other routers of the
cluster, and the exit code is 0.`,
		Example: `  comet router                                    # on this machine only
  comet router --listen :4222 --credentials FILE  # for other machines
  curl http://127.0.0.1:4223/stats

  # three routers, each on a host of its own: the same command on a, b and c
  comet router --listen :4222 --cluster-listen :6222 --credentials FILE \
    --routes nats://a:6222,nats://b:6222,nats://c:6222`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if cfg.AdminToken, err = adminToken(env, tokenFile); err != nil {
				return err
			}
			if cfg.Credentials, err = routerCredentials(env, credentials); err != nil {
				return err
			}
			if drain <= 0 {
				return usagef("--drain-timeout %s: it must be positive", drain.String())
			}
			cfg.DrainTimeout = time.Duration(drain)
			cfg.Logger = env.Logger()
			if err := cfg.Validate(); err != nil {
				return usageError{err}
			}
			r, err := broker.New(cfg)
			if err != nil {
				return usageError{err}
			}
			if err := announceRouter(env, r, cfg, asJSON); err != nil {
				r.Close()
				return err
			}
			ctx := cmd.Context()
			if withStdin {
				ctx = untilEOF(ctx, env.Stdin)
			}
			return r.Run(ctx)
		},
	}
	f := cmd.Flags()
	f.StringVar(&cfg.Listen, "listen", "127.0.0.1:4222", "`address` of the servers and senders; port 0 picks a free one; off loopback it demands credentials")
	f.StringVar(&cfg.ClusterListen, "cluster-listen", "", "`address` of the other routers of a cluster, such as :6222")
	f.StringSliceVar(&cfg.Routes, "routes", nil, "`URLs` of other routers' --cluster-listen, such as nats://a:6222,nats://b:6222; this router's own may be among them")
	f.StringVar(&cfg.ClusterName, "cluster-name", "comet", "`name` of the cluster, the same in all its routers")
	f.StringVar(&cfg.Admin, "admin", "127.0.0.1:4223", "`address` for questions; off loopback it demands a token")
	f.StringVar(&tokenFile, "admin-token-file", "", "`file` with the token that admin requests must carry (or COMET_ADMIN_TOKEN)")
	f.StringSliceVar(&cfg.AdminHosts, "admin-host", nil, "`names` of this machine that admin requests without a token may be for, besides localhost and IP addresses")
	f.StringVar(&cfg.AdminCertFile, "admin-tls-cert", "", "PEM `file` with a certificate: TLS on the admin listener")
	f.StringVar(&cfg.AdminKeyFile, "admin-tls-key", "", "PEM `file` with its key")
	f.StringVar(&credentials, "credentials", "", "`file` with what servers, senders and other routers must have: user:password, or a token (or COMET_ROUTER_CREDENTIALS)")
	f.StringVar(&cfg.CertFile, "tls-cert", "", "PEM `file` with this router's certificate: TLS for everybody")
	f.StringVar(&cfg.KeyFile, "tls-key", "", "PEM `file` with its key")
	f.StringVar(&cfg.CAFile, "tls-ca", "", "PEM `file` with authorities: everybody must have a certificate of one of them")
	f.Var(&drain, "drain-timeout", "how long servers have to move to the other routers after SIGTERM")
	f.BoolVar(&asJSON, "json", false, "print the addresses as a line of JSON")
	endWithStdin(f, &withStdin)
	return cmd
}

// announceRouter says on standard output where the router is, and what to give
// to the others.
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
	fmt.Fprintf(&b, "router on %s, questions to http://%s/stats\n", r.URL(), r.AdminAddr())
	if cfg.Credentials != "" {
		fmt.Fprintf(&b, "with the same credentials, by --router-credentials FILE or COMET_ROUTER_CREDENTIALS:\n")
	}
	fmt.Fprintf(&b, "  comet serve  --router %s%s\n", r.URL(), more)
	fmt.Fprintf(&b, "  comet send   --router %s%s ID MESSAGE\n", r.URL(), more)
	fmt.Fprintf(&b, "  comet msggen --router %s%s\n", r.URL(), more)
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
