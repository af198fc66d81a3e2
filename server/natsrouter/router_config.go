package natsrouter

import (
	"cmp"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// RouterConfig says how to be a router. The zero value of each field is its
// default.
type RouterConfig struct {
	// Listen is the address of the clients: nodes and publishers. Empty means
	// 127.0.0.1:4222; port 0 lets the kernel choose. Off loopback it demands
	// Credentials.
	Listen string
	// ClusterListen is the address of the other routers of a cluster. Empty
	// means that there are none. Off loopback it demands Credentials.
	ClusterListen string
	// Routes are the URLs of other routers' ClusterListen. One that is up is
	// enough: routers tell each other, and the clients, of all the others.
	Routes []string
	// ClusterName is the same in all routers of a cluster; empty means "comet".
	ClusterName string
	// Name is this router's own, and no other's in the cluster. Empty means the
	// host's name and something random.
	Name string
	// Admin is the address of the admin listener. Empty means 127.0.0.1:4223.
	// Off loopback it demands AdminToken.
	Admin string
	// AdminToken, if set, must come as a bearer token with every admin request
	// but /healthz and /readyz.
	AdminToken string
	// Credentials is what clients and other routers must have: "user:password"
	// or a token. Empty lets everybody in.
	Credentials string
	// CertFile and KeyFile (PEM) turn TLS on, for clients and for routes.
	CertFile, KeyFile string
	// CAFile (PEM) has the authorities one of whose certificates each client and
	// each router must then have.
	CAFile string
	// MaxPending is how many bytes may wait for one client before it is cut off
	// as too slow; 0 means 256 MiB.
	MaxPending int64
	// DrainTimeout is how long clients have to move to the other routers of the
	// cluster once Run's context has ended; 0 means 5 s.
	DrainTimeout time.Duration
	// Logger takes diagnostics; nil discards them.
	Logger *slog.Logger
}

// routePort is what a route without a port means, NATS's habit.
const routePort = "6222"

func (c RouterConfig) withDefaults() RouterConfig {
	c.Listen = cmp.Or(c.Listen, "127.0.0.1:4222")
	c.Admin = cmp.Or(c.Admin, "127.0.0.1:4223")
	c.ClusterName = cmp.Or(c.ClusterName, "comet")
	c.MaxPending = cmp.Or(c.MaxPending, 256<<20)
	c.DrainTimeout = cmp.Or(c.DrainTimeout, 5*time.Second)
	c.Credentials = strings.TrimSpace(c.Credentials)
	if c.Name == "" {
		c.Name = uniqueName()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// uniqueName is a name that no other router of a cluster has: NATS servers
// refuse each other over that.
func uniqueName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "router"
	}
	return strings.Join(strings.Fields(host), "-") + "-" + strings.ToLower(rand.Text()[:6])
}

// Validate names everything that cannot be.
func (c RouterConfig) Validate() error {
	_, err := c.withDefaults().options()
	return err
}

// options are the NATS server's, for this use of it: few clients with very many
// subscriptions each, small messages.
func (c RouterConfig) options() (*server.Options, error) {
	var errs []error
	bad := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("natsrouter: "+format, args...))
		}
	}
	host, port, err := natsAddress(c.Listen)
	bad(err == nil, "%w", err)
	_, _, err = natsAddress(c.Admin)
	bad(err == nil, "%w", err)
	user, password, token, err := c.parseCredentials()
	bad(err == nil, "%w", err)
	bad(c.Credentials != "" || onLoopback(c.Listen), "the router on %s can be reached from other machines: give it credentials (--credentials FILE, or COMET_ROUTER_CREDENTIALS), or put it on 127.0.0.1", c.Listen)
	bad(c.AdminToken != "" || onLoopback(c.Admin), "the admin listener on %s can be reached from other machines: give it a token (--admin-token-file FILE, or COMET_ADMIN_TOKEN), or put it on 127.0.0.1", c.Admin)
	bad(!strings.ContainsAny(c.Name, " \t\r\n"), "name %q: write it without spaces", c.Name)
	bad(!strings.ContainsAny(c.ClusterName, " \t\r\n"), "cluster name %q: write it without spaces", c.ClusterName)
	bad(c.MaxPending >= 2*maxPayload, "at most %d bytes waiting for a client: that does not hold a message; use %d or more", c.MaxPending, 2*maxPayload)
	bad(c.DrainTimeout > 0, "a drain timeout of %v: it must be positive", c.DrainTimeout)
	tlsConfig, err := c.tls()
	bad(err == nil, "%w", err)

	o := &server.Options{
		ServerName:    c.Name,
		Host:          host,
		Port:          port,
		Username:      user,
		Password:      password,
		Authorization: token,
		TLSConfig:     tlsConfig,
		NoSigs:        true, // signals belong to the program
		NoLog:         true, // it is given its logger

		// Ids come at random, so that a cache of the last 1,024 subjects misses
		// nearly always, and each miss costs a lock, a map entry and now and
		// then a sweep of the whole cache. BenchmarkRouter, medians of 5: with
		// 100,000 exact subscriptions 239,000 messages/s without it and 206,000
		// with it; with a million 138,000 and 137,000.
		NoSublistCache: true,
		// A message has 1 MiB at the most; the rest is for what goes with it.
		MaxPayload: maxPayload,
		// A node that does not read for a second at full rate must not be cut
		// off: that loses its whole feed. 400,000 messages of 200 bytes are 80 MB.
		MaxPending: c.MaxPending,
		// What a node may take for one write. It is the other half of the same.
		WriteDeadline: 10 * time.Second,
		// A machine that went without a word is known to be gone after a minute
		// rather than six, and what waited for it is freed.
		PingInterval: 20 * time.Second,
		MaxPingsOut:  2,
		// Nobody asks for those; ten thousand would be kept.
		MaxClosedClients: 16,
		// The one who is told that its router goes may move by itself first.
		LameDuckGracePeriod: min(c.DrainTimeout/2, 2*time.Second),
		LameDuckDuration:    c.DrainTimeout,
		// Once a minute is enough to say that another router is still away.
		ConnectErrorReports:   60,
		ReconnectErrorReports: 60,
	}
	if c.ClusterListen == "" {
		// The system account is how routers of a cluster talk. Alone it costs
		// memory and a timer.
		o.NoSystemAccount = true
		bad(len(c.Routes) == 0, "routes to other routers need a listener for routes as well: give --cluster-listen, such as %s", net.JoinHostPort(cmp.Or(host, "127.0.0.1"), routePort))
		return o, errors.Join(errs...)
	}
	bad(c.Credentials != "" || onLoopback(c.ClusterListen), "the cluster listener on %s can be reached from other machines: give it credentials (--credentials FILE, or COMET_ROUTER_CREDENTIALS), or put it on 127.0.0.1", c.ClusterListen)
	o.Cluster.Name = c.ClusterName
	o.Cluster.Host, o.Cluster.Port, err = natsAddress(c.ClusterListen)
	bad(err == nil, "cluster listener: %w", err)
	if ip := net.ParseIP(o.Cluster.Host); ip != nil && !ip.IsUnspecified() {
		// The others are told to reach us where we listen, rather than where our
		// own routes seem to come from; port 0 stands for that of the listener.
		o.Cluster.Advertise = net.JoinHostPort(o.Cluster.Host, "0")
	}
	if token != "" {
		user, password = "comet", token // NATS routes know no tokens
	}
	o.Cluster.Username, o.Cluster.Password = user, password
	o.Cluster.TLSConfig = tlsConfig
	for _, text := range c.Routes {
		route, err := routeURL(text, user, password)
		bad(err == nil, "route %w", err)
		o.Routes = append(o.Routes, route)
	}
	return o, errors.Join(errs...)
}

// maxPayload is the longest message and what goes with it, in bytes.
const maxPayload = 1<<20 + 64<<10

// natsAddress splits an address into what NATS takes: for it port 0 is the usual
// port, and -1 a free one.
func natsAddress(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, fmt.Errorf("address %q: %w; write host:port, such as 127.0.0.1:4222", address, err)
	}
	number, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("address %q: %q is not a port: write a number up to 65535, such as 127.0.0.1:4222", address, text)
	}
	if number == 0 {
		return host, server.RANDOM_PORT, nil
	}
	return host, int(number), nil
}

// routeURL is a route with what it takes to be let in.
func routeURL(text, user, password string) (*url.URL, error) {
	if err := checkURL(text); err != nil {
		return nil, err
	}
	route, err := url.Parse(text)
	if err != nil {
		return nil, err
	}
	if route.Port() == "" {
		route.Host = net.JoinHostPort(route.Hostname(), routePort)
	}
	if user != "" {
		route.User = url.UserPassword(user, password)
	}
	return route, nil
}

// parseCredentials gives either a user and a password, or a token, or nothing.
func (c RouterConfig) parseCredentials() (user, password, token string, err error) {
	text := c.Credentials
	user, password, pair := strings.Cut(text, ":")
	switch {
	case text == "":
		return "", "", "", nil
	case strings.ContainsAny(text, "\r\n"):
		return "", "", "", errors.New(`the credentials have several lines: write one "user:password" or a token`)
	case !pair:
		return "", "", text, nil
	case user == "" || password == "":
		return "", "", "", errors.New(`the credentials lack the user or the password: write "user:password" or a token`)
	case len(password) > 4 && password[:2] == "$2" && password[3] == '$':
		// NATS would compare by bcrypt, and routes would send the hash.
		return "", "", "", errors.New("the password in the credentials is a bcrypt hash: write the password itself")
	}
	return user, password, "", nil
}

// login is how this process gets into its own server.
func (c RouterConfig) login() (nats.Option, error) {
	return Servers{Credentials: c.Credentials}.login()
}

// scheme is that of the clients' URLs.
func (c RouterConfig) scheme() string {
	if c.CertFile != "" {
		return "tls"
	}
	return "nats"
}

// tls are the settings of both listeners and of the routes that go out, nil
// without a certificate.
func (c RouterConfig) tls() (*tls.Config, error) {
	if c.CertFile == "" && c.KeyFile == "" && c.CAFile == "" {
		return nil, nil
	}
	if c.CertFile == "" || c.KeyFile == "" {
		return nil, errors.New("TLS needs a certificate and its key: give --tls-cert and --tls-key")
	}
	pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("the TLS certificate %s with its key %s: %w", c.CertFile, c.KeyFile, err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	if c.CAFile == "" {
		return config, nil
	}
	pem, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("the TLS authorities: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("the TLS authorities: no certificate (PEM) is in %s", c.CAFile)
	}
	config.ClientCAs, config.RootCAs = pool, pool
	config.ClientAuth = tls.RequireAndVerifyClientCert
	return config, nil
}

// onLoopback reports whether address can be reached from this machine only. A
// name that is not an address counts only as localhost.
func onLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return true // reported as a bad address
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
