//go:build nonats

package broker

import (
	"context"
	"net"

	"example.org/comet/server/natsrouter"
)

// Broker is never made.
type Broker struct{ process }

// process is what a program needs of a router.
type process interface {
	Addr() net.Addr
	AdminAddr() net.Addr
	ClusterAddr() net.Addr
	URL() string
	RouteURL() string
	Run(ctx context.Context) error
	Close() error
}

// New returns natsrouter.ErrNotBuilt.
func New(Config) (*Broker, error) { return nil, natsrouter.ErrNotBuilt }

// Validate returns natsrouter.ErrNotBuilt.
func (c Config) Validate() error { return natsrouter.ErrNotBuilt }
