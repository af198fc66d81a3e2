package flags

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/spf13/pflag"

	"example.org/comet/server"
	"example.org/comet/server/natsrouter"
)

// ServeCommand is the flags of comet serve.
type ServeCommand struct {
	Config     server.Config
	Node       natsrouter.NodeConfig
	AdminToken Secret
	Router     Router
	// AccessLog is the file of the access log, "-" for standard output.
	AccessLog    string
	JSON         bool
	EndWithStdin bool
}

// Bind implements [Command].
func (c *ServeCommand) Bind(fs *pflag.FlagSet) {
	Serve(fs, &c.Config)
	Group(fs, Server, func() {
		String(fs, &c.AccessLog, "access-log", "", "", "`file` to append a line of JSON to for each sampled stream at its end, and each request that got no stream; - is standard output")
		EndWithStdin(fs, &c.EndWithStdin)
	})
	Group(fs, Admin, func() { c.AdminToken.adminToken(fs, "`file` with the token that admin requests must carry") })
	c.Router.Bind(fs, "`URLs` of NATS servers that messages come through, such as nats://a:4222,nats://b:4222")
	Group(fs, SeveralHosts, func() {
		Enum(fs, &c.Node.Interest, "interest", natsrouter.Exact, "what to ask the router for: exact, block or all", natsrouter.Exact, natsrouter.Block, natsrouter.All)
		Enum(fs, &c.Config.WithoutRouter, "without-router", server.AcceptAway, "what happens to new streams while the router is unreachable: accept or refuse (503)", server.AcceptAway, server.RefuseAway)
		String(fs, &c.Node.Name, "name", "", "", "the `name` of this server among those on the router (default HOST-PID)")
	})
	Group(fs, Output, func() { fs.BoolVar(&c.JSON, "json", false, "print the addresses as a line of JSON") })
}

// Serve adds the flags of a server's Config.
func Serve(fs *pflag.FlagSet, cfg *server.Config) {
	Group(fs, Server, func() {
		String(fs, &cfg.Listen, "listen", "", "127.0.0.1:8000", "`address` of the streams; port 0 picks a free one")
		Engine(fs, &cfg.Engine)
		String(fs, &cfg.TLSCertFile, "tls-cert", "", "", "PEM `file` with a certificate: TLS on --listen")
		String(fs, &cfg.TLSKeyFile, "tls-key", "", "", "PEM `file` with its key")
		fs.BoolVar(&cfg.TLSResume, "tls-resume", false, "let clients resume TLS sessions, by tickets")
		Count(fs, &cfg.Loops, "loops", "", 0, "event loops of the epoll engine; 0: one per core")
		Count(fs, &cfg.MaxConnections, "max-connections", "", 0, "answer streams beyond this many with 503; 0: what the open-file limit allows")
		Count(fs, &cfg.ConnectionLimit, "connection-limit", "", 0, "answer streams of one client address beyond this many with 503; 0: no limit")
		Count(fs, &cfg.MaxIDs, "max-ids-per-connection", "", 0, "answer streams of more ids than this with 400; 0: as many as a request head holds")
		Count(fs, &cfg.MemoryLimit, "memory-limit", "", 0, "answer streams with 503 while the server has more than this many bytes of memory, such as 2G; 0: no limit")
		String(fs, &cfg.AuthKeyFile, "auth-key-file", "", "", "`file` with the keys of tokens: each stream then takes a JSON Web Token that allows its ids (public keys in PEM, a JSON Web Key Set, or a secret)")
		String(fs, &cfg.AuthAudience, "auth-audience", "", "", "`name` of this server that tokens must have as their audience (aud)")
		Count(fs, &cfg.BacklogBytes, "backlog-bytes", "", 64<<10, "how much may wait for one connection whose socket is full", Least(1024))
		Enum(fs, &cfg.SlowClient, "slow-client", server.Disconnect, "what happens to a connection over its backlog: disconnect, or drop messages", server.Disconnect, server.Drop)
		Count(fs, &cfg.MaxHeadBytes, "max-head-bytes", "", 32<<10, "how long the head of a request may be", Least(1024))
		Lines(fs, &cfg.AllowOrigins, "allow-origin", "", "`origin` whose pages may read the streams, such as https://app.example.com, or * for any; repeatable")
		Duration(fs, &cfg.PollTimeout, "poll-timeout", "", 30*time.Second, "how long a long poll waits for a message", Least(time.Millisecond))
		Duration(fs, &cfg.KeepAlive, "keepalive", "", 5*time.Minute, "silence after which the kernel asks whether a client is still there, four times, 15s apart or this if it is less; 0: never", None)
		Duration(fs, &cfg.Heartbeat, "heartbeat", "", 0, "silence after which a stream of /events gets a comment and one of /ws a ping; 0: never")
		Count(fs, &cfg.AccessLogSample, "access-log-sample", "", 100, "log one stream in this many", LeastOr(1, "leave --access-log out for none"))
		String(fs, &cfg.Subscriptions, "subscriptions", "", "", "`file` of who follows whom, for events; it is made if there is none (see comet subscriptions)")
		fs.BoolVar(&cfg.SubscriptionsReadOnly, "subscriptions-read-only", false, "do not change that file, so that several servers can share it")
		Duration(fs, &cfg.DrainDelay, "drain-delay", "", 0, "how long to go on after SIGTERM with /readyz at 503, so that load balancers notice")
		Duration(fs, &cfg.DrainSpread, "drain-spread", "", 5*time.Second, "clients that SIGTERM cuts off are asked to return at random times within this (Retry-After, retry); 0: no wait is asked for", None)
		Duration(fs, &cfg.DrainTimeout, "drain-timeout", "", 10*time.Second, "how long delivering may go on after SIGTERM", Least(time.Millisecond))
	})
	Group(fs, Admin, func() {
		String(fs, &cfg.Admin, "admin", "", "127.0.0.1:8001", "`address` for messages and questions; off loopback it demands a token")
		adminFlags(fs, &cfg.AdminHosts, &cfg.AdminCertFile, &cfg.AdminKeyFile)
	})
}

// adminFlags adds what the admin listeners of server and router have in common.
func adminFlags(fs *pflag.FlagSet, hosts *[]string, cert, key *string) {
	name := func(s string) (string, error) {
		if _, err := netip.ParseAddr(s); err == nil || s == "" || s == "0" {
			return "", fmt.Errorf("%q is no name: IP addresses pass without a flag; write the name in the URL, such as comet.example.org", s)
		}
		return s, nil
	}
	List(fs, hosts, "admin-host", "`names` of this machine that admin requests without a token may be for, besides localhost and IP addresses", name, func(s string) string { return s })
	String(fs, cert, "admin-tls-cert", "", "", "PEM `file` with a certificate: TLS on the admin listener")
	String(fs, key, "admin-tls-key", "", "", "PEM `file` with its key")
}

// Engine adds --engine: auto is what an empty Engine means.
func Engine(fs *pflag.FlagSet, field *server.Engine) {
	const auto = "auto"
	values := []string{"epoll", "goroutine", auto}
	f := bind(fs, field, "engine", "", server.Auto, "how connections are held: epoll, goroutine, or auto: epoll on Linux", kind[server.Engine]{
		name: "string",
		parse: func(s string) (server.Engine, error) {
			switch e := server.Engine(s); {
			case s == auto:
				return server.Auto, nil
			case e == server.Epoll, e == server.Goroutine:
				return e, nil
			}
			return "", unknown(s, values...)
		},
		format: func(e server.Engine) string {
			if e == server.Auto {
				return auto
			}
			return string(e)
		},
	})
	f.Annotations = map[string][]string{valuesAnnotation: values}
}

// Complete reads the secrets and checks the flags against each other.
func (c *ServeCommand) Complete(fs *pflag.FlagSet, getenv func(string) string) (err error) {
	if c.Config.AdminToken, err = c.AdminToken.Read(getenv); err != nil {
		return err
	}
	servers, err := c.Router.Servers(fs, getenv)
	if err != nil {
		return err
	}
	if c.Router.Given() {
		c.Node.Servers, c.Node.Events = servers, c.Config.Subscriptions != ""
		return c.Node.Validate()
	}
	if name := FirstGiven(fs, "interest", "without-router", "name"); name != "" {
		return fmt.Errorf("--%s is for --router, which is not given", name)
	}
	return nil
}
