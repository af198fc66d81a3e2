package flags

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"example.org/comet/server/natsrouter"
	"example.org/comet/server/natsrouter/broker"
)

// Router is the flags that lead a command to the NATS servers that it goes
// through.
type Router struct {
	URLs        []string
	Credentials Secret
	servers     natsrouter.Servers
}

// routerOnlyFlags mean nothing without --router.
var routerOnlyFlags = []string{"router-credentials", "router-ca", "router-cert", "router-key", "subject-prefix"}

// Bind adds the flags; usage is that of --router.
func (r *Router) Bind(fs *pflag.FlagSet, usage string) {
	Group(fs, SeveralHosts, func() {
		natsURLs(fs, &r.URLs, "router", usage)
		r.Credentials.credentials(fs, "router-credentials", "`file` with what lets us in at the router: user:password, a token, or a NATS .creds file")
		String(fs, &r.servers.CAFile, "router-ca", "", "", "PEM `file` with the certificates that the router's is checked against")
		String(fs, &r.servers.CertFile, "router-cert", "", "", "PEM `file` with our own certificate for the router")
		String(fs, &r.servers.KeyFile, "router-key", "", "", "PEM `file` with its key")
		String(fs, &r.servers.SubjectPrefix, "subject-prefix", "", natsrouter.DefaultSubjectPrefix, "what the subjects of messages begin with")
	})
}

func natsURLs(fs *pflag.FlagSet, field *[]string, name, usage string) {
	List(fs, field, name, usage,
		func(s string) (string, error) { return s, checkScheme(s, "nats") },
		func(s string) string { return s })
}

// Given reports whether there is a router.
func (r *Router) Given() bool { return len(r.URLs) > 0 }

// Servers returns how to reach the routers. Without one it refuses the flags
// that are for one.
func (r *Router) Servers(fs *pflag.FlagSet, getenv func(string) string) (natsrouter.Servers, error) {
	if !r.Given() {
		if name := FirstGiven(fs, routerOnlyFlags...); name != "" {
			return natsrouter.Servers{}, fmt.Errorf("--%s is for --router, which is not given", name)
		}
		return natsrouter.Servers{}, nil
	}
	credentials, err := r.Credentials.Read(getenv)
	if err != nil {
		return natsrouter.Servers{}, err
	}
	servers := r.servers
	servers.URLs, servers.Credentials = r.URLs, credentials
	return servers, servers.Validate()
}

// Args returns the same flags for another process.
func (r *Router) Args() []string {
	return Args(routerOnly{*r})
}

// routerOnly is a command of these flags alone.
type routerOnly struct{ Router Router }

// Bind implements [Command].
func (r *routerOnly) Bind(fs *pflag.FlagSet) { r.Router.Bind(fs, "") }

// OnlyRouter refuses the flags of another way to send beside --router.
func (r *Router) OnlyRouter(fs *pflag.FlagSet, others ...string) error {
	if name := FirstGiven(fs, others...); name != "" && r.Given() {
		return fmt.Errorf("--router sends through the routers, and --%s is for sending without them: give one of the two", name)
	}
	return nil
}

// RouterCommand is the flags of comet router.
type RouterCommand struct {
	Config       broker.Config
	Credentials  Secret
	AdminToken   Secret
	JSON         bool
	EndWithStdin bool
}

// Bind implements [Command].
func (c *RouterCommand) Bind(fs *pflag.FlagSet) {
	Broker(fs, &c.Config)
	Group(fs, Server, func() {
		c.Credentials.credentials(fs, "credentials", "`file` with what servers, senders and other routers must have: user:password, or a token")
		EndWithStdin(fs, &c.EndWithStdin)
	})
	Group(fs, Admin, func() { c.AdminToken.adminToken(fs, "`file` with the token that admin requests must carry") })
	Group(fs, Output, func() { fs.BoolVar(&c.JSON, "json", false, "print the addresses as a line of JSON") })
}

// Broker adds the flags of the router process's Config.
func Broker(fs *pflag.FlagSet, cfg *broker.Config) {
	Group(fs, Server, func() {
		String(fs, &cfg.Listen, "listen", "", "127.0.0.1:4222", "`address` of the servers and senders; port 0 picks a free one; off loopback it demands credentials")
		String(fs, &cfg.CertFile, "tls-cert", "", "", "PEM `file` with this router's certificate: TLS for everybody")
		String(fs, &cfg.KeyFile, "tls-key", "", "", "PEM `file` with its key")
		String(fs, &cfg.CAFile, "tls-ca", "", "", "PEM `file` with authorities: everybody must have a certificate of one of them")
		Duration(fs, &cfg.DrainTimeout, "drain-timeout", "", 5*time.Second, "how long servers have to move to the other routers after SIGTERM", Least(time.Millisecond))
	})
	Group(fs, SeveralHosts, func() {
		String(fs, &cfg.ClusterListen, "cluster-listen", "", "", "`address` of the other routers of a cluster, such as :6222")
		natsURLs(fs, &cfg.Routes, "routes", "`URLs` of other routers' --cluster-listen, such as nats://a:6222,nats://b:6222; this router's own may be among them")
		String(fs, &cfg.ClusterName, "cluster-name", "", "comet", "`name` of the cluster, the same in all its routers")
	})
	Group(fs, Admin, func() {
		String(fs, &cfg.Admin, "admin", "", "127.0.0.1:4223", "`address` for questions; off loopback it demands a token")
		adminFlags(fs, &cfg.AdminHosts, &cfg.AdminCertFile, &cfg.AdminKeyFile)
	})
}

// Complete reads the secrets.
func (c *RouterCommand) Complete(getenv func(string) string) error {
	var err, tokenErr error
	c.Config.Credentials, err = c.Credentials.Read(getenv)
	c.Config.AdminToken, tokenErr = c.AdminToken.Read(getenv)
	return errors.Join(err, tokenErr)
}
