//go:build !nonats

package natsrouter

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/nats-io/nats.go"
)

var errBroke = errors.New("the connection broke")

// acks counts what a server has acknowledged over one connection. A server
// answers a PING after it has processed what came before.
type acks struct {
	conn *nats.Conn
	// epoch is how often conn had reconnected when this connection began.
	epoch uint64
	// messages is how many the server has acknowledged.
	messages atomic.Uint64
	// asking: askAside is under way. hangs: it went unanswered.
	asking, hangs atomic.Bool
}

// ask waits until the server has acknowledged the first sent messages.
func (a *acks) ask(ctx context.Context, sent uint64) error {
	if err := a.conn.FlushWithContext(ctx); err != nil {
		return err
	}
	if a.conn.Stats().Reconnects != a.epoch {
		return errBroke // another connection has answered
	}
	if err := a.conn.LastError(); errors.Is(err, nats.ErrPermissionViolation) {
		return err // it came before the answer
	}
	for before := a.messages.Load(); before < sent; before = a.messages.Load() {
		if a.messages.CompareAndSwap(before, sent) {
			break
		}
	}
	return nil
}

// askAside calls ask beside the sender's own goroutine. Every end but silence
// shows there as well.
func (a *acks) askAside(ctx context.Context, sent uint64) {
	if errors.Is(a.ask(ctx, sent), context.DeadlineExceeded) {
		a.hangs.Store(true)
	}
	a.asking.Store(false)
}
