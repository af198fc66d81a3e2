package bench

import (
	"context"
	"errors"
	"time"

	"example.org/comet/cmd/internal/result"
	"example.org/comet/flood/pace"
)

// Trial is a load to be tried.
type Trial struct {
	Connections int
	Rate        pace.Rate
	Hold        time.Duration
}

// Tried is what came of it.
type Tried struct {
	Result  *result.Result
	Moments []result.Moment
}

// Session stands in.
type Session struct{}

// Open stands in.
func Open(context.Context, Config) (*Session, error) { return nil, errors.New("not yet") }

// Folder stands in.
func (s *Session) Folder() string { return "" }

// Try stands in.
func (s *Session) Try(context.Context, Trial) (*Tried, error) { return nil, errors.New("not yet") }

// Close stands in.
func (s *Session) Close() error { return nil }
