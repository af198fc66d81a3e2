package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
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
			cfg.BacklogBytes = int(backlog)
			cfg.PollTimeout = time.Duration(poll)
			cfg.DrainTimeout = time.Duration(drain)
			if cfg.KeepAlive = time.Duration(keepAlive); keepAlive == 0 {
				cfg.KeepAlive = -1
			}
			cfg.Logger = env.Logger()
			if err := cfg.Validate(); err != nil {
				return usageError{err}
			}
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
	f.Var(&backlog, "backlog-bytes", "the most that waits for one connection whose socket is full")
	f.StringVar(&slow, "slow-client", "disconnect", "what becomes of a connection over its backlog: disconnect, or drop messages")
	f.Var(&poll, "poll-timeout", "how long a long poll waits for a message")
	f.Var(&keepAlive, "keepalive", "silence after which the kernel asks whether a client is still there; 0 is never")
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
