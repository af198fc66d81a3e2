//go:build nonats

package natsrouter

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go"

	"example.org/comet/server/router"
)

// ErrNotBuilt is returned by everything that would reach a router.
var ErrNotBuilt = errors.New("this comet was built without the router (go build -tags nonats): use one that was built without that tag")

type option = struct{}

// Login returns ErrNotBuilt.
func (s Servers) Login() (option, error) { return option{}, ErrNotBuilt }

// Connect returns ErrNotBuilt.
func (s Servers) Connect(context.Context, ...nats.Option) (*nats.Conn, error) {
	return nil, ErrNotBuilt
}

// Node is never made.
type Node struct{ router.Exchange }

// NewNode returns ErrNotBuilt.
func NewNode(context.Context, NodeConfig) (*Node, error) { return nil, ErrNotBuilt }

// Sender is never made.
type Sender struct {
	// Events means nothing here.
	Events bool

	sender
}

// sender is what a generator demands.
type sender interface {
	Open(ctx context.Context) error
	Send(id int64, message []byte) error
	Flush(ctx context.Context) error
	Settle(ctx context.Context) error
	Receipt() router.Receipt
	Close(ctx context.Context) error
}

// NewSender returns ErrNotBuilt.
func NewSender(Servers) (*Sender, error) { return nil, ErrNotBuilt }

// Publish returns ErrNotBuilt.
func Publish(context.Context, Servers, int64, []byte) (Reach, error) { return Reach{}, ErrNotBuilt }

// PublishEvent returns ErrNotBuilt.
func PublishEvent(context.Context, Servers, int64, []byte) (Reach, error) {
	return Reach{}, ErrNotBuilt
}
