package server

import (
	"context"
	"sync"

	"example.org/comet/server/replica"
)

// sharing is the replica of a server, and the goroutine of it.
type sharing struct {
	*replica.Replica
	ctx     context.Context // ends with stop
	cancel  context.CancelFunc
	running sync.WaitGroup
}

func newSharing(c *core) *sharing {
	s := &sharing{Replica: replica.New(replica.Config{
		File: c.subscriptions, Name: c.Exchange.Stats().Name, Post: c.Exchange.Post, Logger: c.Logger,
	})}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

func (s *sharing) start() { s.running.Go(func() { s.Run(s.ctx) }) }

func (s *sharing) stop() {
	s.cancel()
	s.running.Wait()
}
