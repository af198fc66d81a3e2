package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"example.org/comet/server"
)

func newServe(env *Env) *cobra.Command {
	var (
		cfg       server.Config
		engine    string
		slow      string
		tokenFile string
		asJSON    bool
		withStdin bool
		maxConns  count
		backlog   = count(64 << 10)
		poll      = duration(30 * time.Second)
		drain     = duration(10 * time.Second)
		keepAlive = duration(5 * time.Minute)
		heartbeat duration
		perAddr   count
		accessLog string
		sample    = count(100)
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

SIGTERM or Ctrl-C drains: what was accepted is delivered, each stream gets its
last chunk, and the exit code is 0.`,
		Example: `  comet serve
  comet send 123 "Hello World"       # and http://127.0.0.1:8000/test/123 in a browser
  comet serve --listen :8000 --max-connections 100k
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
			cfg.BacklogBytes = int(backlog)
			cfg.PollTimeout = time.Duration(poll)
			cfg.DrainTimeout = time.Duration(drain)
			if cfg.KeepAlive = time.Duration(keepAlive); keepAlive == 0 {
				cfg.KeepAlive = -1
			}
			cfg.Heartbeat = time.Duration(heartbeat)
			cfg.Logger = env.Logger()
			if sample == 0 {
				return usagef("--access-log-sample 0: use 1 (every stream) or more, and leave --access-log away for none")
			}
			cfg.AccessLogSample = int(sample)
			if err := cfg.Validate(); err != nil {
				return usageError{err}
			}
			closeLog, err := openAccessLog(env, accessLog, &cfg)
			if err != nil {
				return err
			}
			defer closeLog()
			s, err := server.New(cfg)
			if err != nil {
				return usageError{err}
			}
			if err := announce(env, s, asJSON); err != nil {
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
	f.StringVar(&engine, "engine", "auto", "epoll, goroutine or auto: epoll on Linux")
	f.IntVar(&cfg.Loops, "loops", 0, "event loops of the epoll engine; 0 is one per core")
	f.Var(&maxConns, "max-connections", "the most streams; one more is answered 503; 0 is what the open-file limit allows")
	f.Var(&perAddr, "connection-limit", "the most streams from one client address; one more is answered 503; 0 is no such limit")
	f.Var(&backlog, "backlog-bytes", "the most that waits for one connection whose socket is full")
	f.StringVar(&slow, "slow-client", "disconnect", "what becomes of a connection over its backlog: disconnect, or drop messages")
	f.Var(&poll, "poll-timeout", "how long a long poll waits for a message")
	f.Var(&keepAlive, "keepalive", "silence after which the kernel asks whether a client is still there, four times, 15s apart or this if it is less; 0 is never")
	f.Var(&heartbeat, "heartbeat", "silence after which a stream of /events gets a comment and one of /ws a ping; 0 is never")
	f.StringVar(&accessLog, "access-log", "", "`file` to append a line of JSON to for each sampled stream at its end, and each request that got no stream; - is standard output")
	f.Var(&sample, "access-log-sample", "log one stream of so many")
	f.Var(&drain, "drain-timeout", "how long delivering may go on after SIGTERM")
	f.BoolVar(&asJSON, "json", false, "print the addresses as a line of JSON")
	endWithStdin(f, &withStdin)
	return cmd
}

// announce says where the server is, on standard output.
func announce(env *Env, s *server.Server, asJSON bool) error {
	var err error
	if asJSON {
		err = json.NewEncoder(env.Stdout).Encode(struct {
			Type  string `json:"type"`
			Addr  string `json:"addr"`
			Admin string `json:"admin"`
			Max   int64  `json:"max_connections"`
		}{"listening", s.Addr().String(), s.AdminAddr().String(), s.MaxConnections()})
	} else {
		_, err = fmt.Fprintf(env.Stdout, "streams on http://%s/test/{id}, messages to http://%s/send, at most %d connections\n",
			s.Addr(), s.AdminAddr(), s.MaxConnections())
	}
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
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return nil, usagef("the access log: %w", err)
	}
	cfg.AccessLog = f
	return func() {
		if err := f.Close(); err != nil {
			env.Logger().Error("the access log may not be complete", "error", err)
		}
	}, nil
}
