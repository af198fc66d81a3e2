package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"example.org/comet/server"
	"example.org/comet/server/natsrouter"
)

func newServe(env *Env) *cobra.Command {
	var (
		cfg       server.Config
		engine    string
		slow      string
		interest  string
		without   string
		tokenFile string
		asJSON    bool
		routers   routerFlags
		node      natsrouter.NodeConfig
		withStdin bool
		maxConns  count
		backlog   = count(64 << 10)
		maxHead   = count(32 << 10)
		poll      = duration(30 * time.Second)
		drain     = duration(10 * time.Second)
		keepAlive = duration(5 * time.Minute)
		heartbeat duration
		perAddr   count
		accessLog string
		sample    = count(100)
		delay     duration
	)
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the reference comet server",
		Long: `serve holds streams open and hands each the messages for its user.

  GET /test/{id}     HTML, one chunk a message: open it in a browser
  GET /events/{id}   server-sent events
  GET /poll/{id}     long poll: the next message is the answer
  GET /ws/{id}       WebSocket: a text message each

Several ids on one connection: /test/1,2,3. Messages come in on the admin
listener:

  POST /send/{id}    the body is the message
  POST /send         a line per message: ID MESSAGE, or {"id":1,"message":"..."}
  GET  /stats /metrics /healthz /readyz /debug/pprof/    POST /gc
  GET  /             the same figures as a page that follows them

With --router this server is one of many: messages come to it through the NATS
servers named there (comet router, or any that you have), and what is sent to
its admin listener goes to the others as well. /readyz and /stats tell of it.

  --interest exact   NATS sends what is for this server's connections (~400 bytes
                     of memory here and 700 there for each id)
             block   and the rest of each block of 1024 ids: hardly any memory
                     where ids are pinned to servers
             all     and everything else: for a few servers

While the router is away, connections stay open, /readyz answers 503, and new
streams are let in (they wait for the first message like the others) or answered
503: --without-router. POST /send then delivers here and answers 503, with what
was published and what was not.

SIGTERM or Ctrl-C drains: after --drain-delay what was accepted is delivered,
each stream gets its last chunk, and the exit code is 0.`,
		Example: `  comet serve
  comet send 123 "Hello World"       # and http://127.0.0.1:8000/test/123 in a browser
  comet serve --listen :8000 --max-connections 100k
  comet serve --router nats://10.0.0.1:4222,nats://10.0.0.2:4222 --drain-delay 5s
  curl -d 'Hello' http://127.0.0.1:8001/send/123`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			token, err := adminToken(env, tokenFile)
			if err != nil {
				return err
			}
			cfg.AdminToken = token
			if cfg.Engine = server.Engine(engine); engine == "auto" {
				cfg.Engine = server.Auto
			}
			cfg.SlowClient = server.SlowPolicy(slow)
			cfg.MaxConnections = int(maxConns)
			cfg.ConnectionLimit = int(perAddr)
			// In a Config 0 is the default, and a negative value is none.
			cfg.BacklogBytes = cmp.Or(int(backlog), -1)
			cfg.MaxHeadBytes = cmp.Or(int(maxHead), -1)
			cfg.PollTimeout = cmp.Or(time.Duration(poll), -1)
			cfg.DrainTimeout = cmp.Or(time.Duration(drain), -1)
			cfg.KeepAlive = cmp.Or(time.Duration(keepAlive), -1)
			cfg.Heartbeat = time.Duration(heartbeat)
			cfg.Logger = env.Logger()
			if sample == 0 {
				return usagef("--access-log-sample 0: use 1 (every stream) or more, and leave --access-log away for none")
			}
			cfg.AccessLogSample = int(sample)
			cfg.WithoutRouter = server.RouterPolicy(without)
			cfg.DrainDelay = time.Duration(delay)
			node.Interest = natsrouter.Interest(interest)
			if err := checkNode(env, cmd.Flags(), &routers, &node); err != nil {
				return err
			}
			if err := cfg.Validate(); err != nil {
				return usageError{err}
			}
			closeLog, err := openAccessLog(env, accessLog, &cfg)
			if err != nil {
				return err
			}
			defer closeLog()
			if routers.given() {
				exchange, err := joinRouter(cmd.Context(), env, node)
				if err != nil {
					return usageError{err}
				}
				defer exchange.Close()
				cfg.Exchange = exchange
			}
			s, err := server.New(cfg)
			if err != nil {
				return usageError{err}
			}
			if err := announce(env, s, routers.urls, asJSON); err != nil {
				return err
			}
			ctx := cmd.Context()
			if withStdin {
				ctx = untilEOF(ctx, env.Stdin)
			}
			return s.Run(ctx)
		},
	}
	f := cmd.Flags()
	f.StringVar(&cfg.Listen, "listen", "127.0.0.1:8000", "`address` of the streams; port 0 picks a free one")
	f.StringVar(&cfg.Admin, "admin", "127.0.0.1:8001", "`address` for messages and questions; off loopback it demands a token")
	f.StringVar(&tokenFile, "admin-token-file", "", "`file` with the token that admin requests must carry (or COMET_ADMIN_TOKEN)")
	f.StringSliceVar(&cfg.AdminHosts, "admin-host", nil, "`names` of this machine that admin requests without a token may be for, besides localhost and IP addresses")
	f.StringVar(&cfg.AdminCertFile, "admin-tls-cert", "", "PEM `file` with a certificate: TLS on the admin listener")
	f.StringVar(&cfg.AdminKeyFile, "admin-tls-key", "", "PEM `file` with its key")
	f.StringVar(&engine, "engine", "auto", "epoll, goroutine or auto: epoll on Linux")
	f.IntVar(&cfg.Loops, "loops", 0, "event loops of the epoll engine; 0 is one per core")
	f.Var(&maxConns, "max-connections", "the most streams; one more is answered 503; 0 is what the open-file limit allows")
	f.Var(&perAddr, "connection-limit", "the most streams from one client address; one more is answered 503; 0 is no such limit")
	f.Var(&backlog, "backlog-bytes", "the most that waits for one connection whose socket is full")
	f.Var(&maxHead, "max-head-bytes", "longest request head, in bytes; a longer one is answered 431")
	f.StringArrayVar(&cfg.AllowOrigins, "allow-origin", nil, "`origin` whose pages may read the streams, such as https://app.example.com (repeatable), or * for any")
	f.StringVar(&slow, "slow-client", "disconnect", "what becomes of a connection over its backlog: disconnect, or drop messages")
	f.Var(&poll, "poll-timeout", "how long a long poll waits for a message; 0 is without end")
	f.Var(&keepAlive, "keepalive", "silence after which the kernel asks whether a client is still there, four times, 15s apart or this if it is less; 0 is never")
	f.Var(&heartbeat, "heartbeat", "silence after which a stream of /events gets a comment and one of /ws a ping; 0 is never")
	f.StringVar(&accessLog, "access-log", "", "`file` to append a line of JSON to for each sampled stream at its end, and each request that got no stream; - is standard output")
	f.Var(&sample, "access-log-sample", "log one stream of so many")
	f.Var(&delay, "drain-delay", "how long to go on after SIGTERM with /readyz at 503, so that load balancers notice")
	f.Var(&drain, "drain-timeout", "how long delivering may go on after SIGTERM and --drain-delay; 0 ends all streams at once")
	routers.add(f, "`URLs` of NATS servers that messages come through, such as nats://a:4222,nats://b:4222")
	f.StringVar(&interest, "interest", "exact", "what to ask the router for: exact, block or all")
	f.StringVar(&without, "without-router", "accept", "what becomes of new streams while the router is away: accept or refuse (503)")
	f.StringVar(&node.Name, "name", "", "the `name` of this server among those on the router; empty is HOST-PID")
	f.BoolVar(&asJSON, "json", false, "print the addresses as a line of JSON")
	endWithStdin(f, &withStdin)
	return cmd
}

// checkNode completes the settings of a server among others, and refuses them
// for one that is alone.
func checkNode(env *Env, f *pflag.FlagSet, routers *routerFlags, node *natsrouter.NodeConfig) error {
	servers, err := routers.read(env, f)
	if err != nil {
		return err
	}
	if !routers.given() {
		for _, name := range []string{"interest", "without-router", "name"} {
			if f.Changed(name) {
				return usagef("--%s is for --router, which is not given", name)
			}
		}
		return nil
	}
	node.Servers = servers
	if err := node.Validate(); err != nil {
		return usageError{err}
	}
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

// announce says where the server is, on standard output.
func announce(env *Env, s *server.Server, routers []string, asJSON bool) error {
	if asJSON {
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
	_, err := fmt.Fprintf(env.Stdout, "streams on http://%s/test/{id}, messages to http://%s/send, at most %d connections%s\n",
		s.Addr(), s.AdminAddr(), s.MaxConnections(), through)
	return err
}

// adminToken comes from a file or the environment, never from a flag value,
// which every user of the machine can see.
func adminToken(env *Env, file string) (string, error) {
	if file == "" {
		return env.Getenv("COMET_ADMIN_TOKEN"), nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", usagef("the admin token: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if token == "" {
		return "", usagef("the admin token file %s is empty", file)
	}
	return token, nil
}

// openAccessLog gives cfg the file that the access log goes to, if there is to
// be one, and returns what closes it.
func openAccessLog(env *Env, path string, cfg *server.Config) (closeLog func(), err error) {
	switch path {
	case "":
		return func() {}, nil
	case "-":
		// Whoever reads it may go. That is no reason for a server to.
		signal.Ignore(syscall.SIGPIPE)
		cfg.AccessLog = env.Stdout
		return func() {}, nil
	}
	f, err := server.OpenLogFile(path)
	if err != nil {
		return nil, usageError{err}
	}
	cfg.AccessLog = f
	return func() {
		if err := f.Close(); err != nil {
			env.Logger().Error("the access log was not closed", "error", err)
		}
	}, nil
}
