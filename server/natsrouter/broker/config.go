// Package broker is the process of `comet router`: a NATS server in this process,
// set up for comet's messages, with an admin listener that reports what goes
// through it and which nodes there are. Package natsrouter is the other side.
//
//	b, err := broker.New(broker.Config{})
//	if err != nil { … }
//	err = b.Run(ctx) // until ctx ends
package broker

import (
	"log/slog"
	"time"
)

// Config says how to run a router. The zero value of each field is its default.
type Config struct {
	// Listen is the address of the clients: nodes and publishers. Empty means
	// 127.0.0.1:4222; port 0 lets the kernel choose. Off loopback it demands
	// Credentials.
	Listen string
	// ClusterListen is the address of the other routers of a cluster. Empty
	// means that there are none. Off loopback it demands Credentials.
	ClusterListen string
	// Routes are the URLs of other routers' ClusterListen. One that is up is
	// enough: routers learn of all the others from each other, and clients do.
	Routes []string
	// ClusterName is the same in all routers of a cluster; empty means "comet".
	ClusterName string
	// Name is unique in the cluster. Empty means the host's name and something
	// random.
	Name string
	// Admin is the address of the admin listener. Empty means 127.0.0.1:4223.
	// Off loopback it demands AdminToken.
	Admin string
	// AdminToken, if set, must come as a bearer token with every admin request
	// but /healthz and /readyz.
	AdminToken string
	// AdminHosts are names of this machine that an admin request without token
	// may be for, besides localhost and IP addresses.
	AdminHosts []string
	// AdminCertFile and AdminKeyFile (PEM) turn TLS on for the admin listener.
	AdminCertFile, AdminKeyFile string
	// Version is the label of comet_build_info in /metrics.
	Version string
	// Credentials is what clients and other routers must present: "user:password"
	// or a token. Empty lets everybody in.
	Credentials string
	// CertFile and KeyFile (PEM) turn TLS on, for clients and for routes.
	CertFile, KeyFile string
	// CAFile (PEM) has the authorities that must have signed the certificate of each
	// client and router.
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
