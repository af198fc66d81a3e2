package natsrouter

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/nats-io/nats.go"
)

var errBroke = errors.New("the connection broke")

// taken is what a server is known to have taken over one connection. A server
// answers a PING after it has taken what came before.
type taken struct {
	conn *nats.Conn
	// epoch is how often conn had reconnected when this connection began.
	epoch uint64
	// messages is how many the server took.
	messages atomic.Uint64
	// asking tells that askAside is under way, and hangs that it went unanswered.
	asking, hangs atomic.Bool
}

// ask returns when the server has taken the first given messages.
func (t *taken) ask(ctx context.Context, given uint64) error {
	if err := t.conn.FlushWithContext(ctx); err != nil {
		return err
	}
	if t.conn.Stats().Reconnects != t.epoch {
		return errBroke // another connection has answered
	}
	if err := t.conn.LastError(); errors.Is(err, nats.ErrPermissionViolation) {
		return err // it came before the answer
	}
	for before := t.messages.Load(); before < given; before = t.messages.Load() {
		if t.messages.CompareAndSwap(before, given) {
			break
		}
	}
	return nil
}

// askAside is ask beside the sender's own goroutine. What ends it other than
// silence shows there as well.
func (t *taken) askAside(ctx context.Context, given uint64) {
	if errors.Is(t.ask(ctx, given), context.DeadlineExceeded) {
		t.hangs.Store(true)
	}
	t.asking.Store(false)
}
