//go:build !nonats

package broker

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

	"example.org/comet/server/adminhttp"
	"example.org/comet/server/natsrouter"
	"example.org/comet/server/router"
)

// routePort is the port of a route without one, as in NATS.
const routePort = "6222"

func (c Config) withDefaults() Config {
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

// uniqueName returns a name that no other router of a cluster has: NATS servers
// of one name refuse each other.
func uniqueName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "router"
	}
	return strings.Join(strings.Fields(host), "-") + "-" + strings.ToLower(rand.Text()[:6])
}

// Validate returns an error that names everything that cannot be.
func (c Config) Validate() error {
	_, err := c.withDefaults().options()
	return err
}

// options returns the NATS server's options for this use of it: few clients with
// very many subscriptions each, small messages.
func (c Config) options() (*server.Options, error) {
	errs := c.check()
	bad := func(err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("broker: %w", err))
		}
	}
	host, port, err := natsAddress(c.Listen)
	bad(err)
	login, err := c.parseCredentials()
	bad(err)
	tlsConfig, err := c.tls()
	bad(err)
	o := &server.Options{
		ServerName:    c.Name,
		Host:          host,
		Port:          port,
		Username:      login.user,
		Password:      login.password,
		Authorization: login.token,
		TLSConfig:     tlsConfig,
		NoSigs:        true, // signals belong to the program
		NoLog:         true, // it is given its logger
		MaxConn:       maxClients(openFileLimit()),

		// Ids come at random, so that a cache of the last 1,024 subjects misses
		// nearly always, and each miss costs a lock, a map entry and now and
		// then a sweep of the whole cache. BenchmarkRouter, medians of 5: with
		// 100,000 exact subscriptions 239,000 messages/s without it and 206,000
		// with it; with a million 138,000 and 137,000.
		NoSublistCache: true,
		// A message has at most 1 MiB; the rest is for what goes with it.
		MaxPayload: maxPayload,
		// A node that does not read for a second at full rate must not be cut
		// off: that loses its whole feed. 400,000 messages of 200 bytes are 80 MB.
		MaxPending: c.MaxPending,
		// How long a node may take for one write: the other half of the same.
		WriteDeadline: 10 * time.Second,
		// A machine that went without a word is known to be gone after a minute
		// rather than six, and what waited for it is freed.
		PingInterval: 20 * time.Second,
		MaxPingsOut:  2,
		// Nobody asks for those; ten thousand would be kept.
		MaxClosedClients: 16,
		// A client that is told that its router goes may move by itself first.
		LameDuckGracePeriod: min(c.DrainTimeout/2, 2*time.Second),
		LameDuckDuration:    c.DrainTimeout,
		// Once a minute is enough to say that another router is still unreachable.
		ConnectErrorReports:   60,
		ReconnectErrorReports: 60,
		// The system account is how routers of a cluster talk. Alone it costs
		// memory and a timer.
		NoSystemAccount: c.ClusterListen == "",
	}
	if c.ClusterListen != "" {
		errs = append(errs, c.joinCluster(o, login)...)
	}
	return o, errors.Join(errs...)
}

// check returns what cannot be, apart from what options finds.
func (c Config) check() (errs []error) {
	bad := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("broker: "+format, args...))
		}
	}
	for _, err := range c.adminConfig().Validate() {
		bad(false, "%w", err)
	}
	for _, at := range []struct{ what, address string }{{"router", c.Listen}, {"cluster listener", c.ClusterListen}} {
		bad(c.Credentials != "" || at.address == "" || adminhttp.OnLoopback(at.address), "the %s on %s can be reached from other machines: give it credentials (--credentials FILE, or COMET_ROUTER_CREDENTIALS), or put it on 127.0.0.1", at.what, at.address)
	}
	bad(!strings.ContainsAny(c.Name, " \t\r\n"), "name %q: write it without spaces", c.Name)
	bad(!strings.ContainsAny(c.ClusterName, " \t\r\n"), "cluster name %q: write it without spaces", c.ClusterName)
	bad(c.MaxPending >= 2*maxPayload, "at most %d bytes waiting for a client: that does not hold a message; use %d or more", c.MaxPending, 2*maxPayload)
	bad(c.DrainTimeout > 0, "a drain timeout of %v: it must be positive", c.DrainTimeout)
	host, _, _ := net.SplitHostPort(c.Listen)
	bad(len(c.Routes) == 0 || c.ClusterListen != "", "routes to other routers need a listener for routes as well: give --cluster-listen, such as %s", net.JoinHostPort(cmp.Or(host, "127.0.0.1"), routePort))
	return errs
}

// joinCluster adds the options of a router among others.
func (c Config) joinCluster(o *server.Options, login credentials) (errs []error) {
	var err error
	o.Cluster.Name = c.ClusterName
	if o.Cluster.Host, o.Cluster.Port, err = natsAddress(c.ClusterListen); err != nil {
		errs = append(errs, fmt.Errorf("broker: cluster listener: %w", err))
	}
	if ip := net.ParseIP(o.Cluster.Host); ip != nil && !ip.IsUnspecified() {
		// The others are told to reach us where we listen, rather than where our
		// own routes seem to come from; port 0 stands for that of the listener.
		o.Cluster.Advertise = net.JoinHostPort(o.Cluster.Host, "0")
	}
	if login.token != "" {
		login.user, login.password = "comet", login.token // NATS routes know no tokens
	}
	o.Cluster.Username, o.Cluster.Password = login.user, login.password
	o.Cluster.TLSConfig = o.TLSConfig
	for _, text := range c.Routes {
		route, err := routeURL(text, login.user, login.password)
		if err != nil {
			errs = append(errs, fmt.Errorf("broker: route %w", err))
		}
		o.Routes = append(o.Routes, route)
	}
	return errs
}

// reservedFiles are kept from the clients: for the admin listener and its
// connections, routes to other routers, logs and the Go runtime.
const reservedFiles = 64

// maxClients returns how many clients there may be with so many files; 0 of
// either is no limit of ours.
func maxClients(files uint64) int {
	if files == 0 || files > server.DEFAULT_MAX_CONNECTIONS {
		return 0
	}
	return max(int(files)-reservedFiles, 1)
}

// adminConfig returns the settings of the admin listener.
func (c Config) adminConfig() adminhttp.Config {
	return adminhttp.Config{
		Address: c.Admin, Token: c.AdminToken, Hosts: c.AdminHosts,
		CertFile: c.AdminCertFile, KeyFile: c.AdminKeyFile, Logger: c.Logger,
	}
}

// maxPayload is the longest message and what goes with it, in bytes.
const maxPayload = router.MaxMessage + 64<<10

// natsAddress splits an address for NATS, where port 0 means the usual port, and
// -1 a free one.
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

// routeURL returns a route with the credentials for it.
func routeURL(text, user, password string) (*url.URL, error) {
	if err := natsrouter.CheckURL(text); err != nil {
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

// credentials are a user and a password, or a token, or nothing.
type credentials struct{ user, password, token string }

func (c Config) parseCredentials() (credentials, error) {
	text := c.Credentials
	user, password, pair := strings.Cut(text, ":")
	switch {
	case text == "":
		return credentials{}, nil
	case strings.ContainsAny(text, "\r\n"):
		return credentials{}, errors.New(`the credentials have several lines: write one "user:password" or a token`)
	case !pair:
		return credentials{token: text}, nil
	case user == "" || password == "":
		return credentials{}, errors.New(`the credentials lack the user or the password: write "user:password" or a token`)
	case len(password) > 4 && password[:2] == "$2" && password[3] == '$':
		// NATS would compare by bcrypt, and routes would send the hash.
		return credentials{}, errors.New("the password in the credentials is a bcrypt hash: write the password itself")
	}
	return credentials{user: user, password: password}, nil
}

// scheme returns that of the clients' URLs.
func (c Config) scheme() string {
	if c.CertFile != "" {
		return "tls"
	}
	return "nats"
}

// tls returns the settings of both listeners and of outgoing routes, nil without
// a certificate.
func (c Config) tls() (*tls.Config, error) {
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
