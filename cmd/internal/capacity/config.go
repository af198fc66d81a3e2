package capacity

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"strings"
	"time"

	"example.org/comet/cmd/internal/bench"
	"example.org/comet/cmd/internal/result"
)

// Config says what to search for, and where.
type Config struct {
	// Search is result.SearchConnections or result.SearchRate: the other one of the
	// two is what Bench says.
	Search string
	// From is the first load, To the highest, 0 as much as this machine can make.
	From, To int
	// Precision is how far the answer may be from what fails, as a share.
	Precision float64
	// Hold is how long a load must hold, Repeat how many times.
	Hold   time.Duration
	Repeat int
	// Budget bounds the whole search, 0 does not.
	Budget time.Duration
	// Bench is the experiment: where the server is, how it is loaded, and what each
	// step must meet. Without Targets no connection may fail or be closed, and no
	// message may be lost.
	Bench bench.Config
	// Server is what the answer calls the server.
	Server string
	// Step takes each step as it ends, Trying what is tried next.
	Step   func(result.CapacityStep)
	Trying func(load float64, hold time.Duration)
}

// Validate names every field that is wrong.
func (c Config) Validate() error {
	var errs []error
	bad := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	bad(c.Search != result.SearchConnections && c.Search != result.SearchRate, "--search %q: use connections or rate", c.Search)
	bad(c.From < 1, "--from %d: use 1 or more", c.From)
	bad(c.To != 0 && c.To < c.From, "--to %d is less than --from %d: the search goes up", c.To, c.From)
	bad(!(c.Precision > 0 && c.Precision <= 0.5), "--precision %v%%: use more than 0%% and at most 50%%", 100*c.Precision)
	bad(c.Hold < time.Second, "--hold %v: use 1s or more", c.Hold)
	bad(c.Repeat < 1, "--repeat %d: use 1 or more", c.Repeat)
	bad(c.Budget != 0 && c.Budget < c.Hold+usualOverhead, "--budget %v is too short for a step of %v: give %v or more, or a shorter --hold", c.Budget, c.Hold, c.Hold+usualOverhead)
	bad(c.Search == result.SearchRate && (c.Bench.Rate == 0 || c.Bench.Rate.Unpaced()), "--search rate needs messages: say where they go (--publish), and leave --rate out")
	return errors.Join(errs...)
}

// unit returns how many connections a step has at least: rooms are whole.
func (c Config) unit() float64 {
	if c.Search == result.SearchConnections {
		return float64(max(c.Bench.Streams.Subscribers, 1))
	}
	return 1
}

// plan returns the search that is asked for, in units.
func (c Config) plan() plan {
	return plan{
		From: math.Ceil(float64(c.From) / c.unit()), To: math.Floor(float64(c.To) / c.unit()),
		Precision: c.Precision, Hold: c.Hold, Repeat: c.Repeat, Budget: c.Budget,
	}
}

// bench returns the experiment, with as many connections as there may be; 0 is as many
// as this machine can make.
func (c Config) bench() bench.Config {
	b := c.Bench
	if c.Search == result.SearchConnections {
		b.Connections = c.To
	}
	return b
}

// NameOf returns what an answer calls the server of an experiment: its host, or the
// engine of our own.
func NameOf(cfg *bench.Config) string {
	if t := cfg.Target; t != nil {
		host := t.URL
		if len(t.URLs) > 0 {
			host = t.URLs[0]
		}
		if u, err := url.Parse(strings.NewReplacer("{", "", "}", "").Replace(host)); err == nil && u.Host != "" {
			return u.Host
		}
		return t.String()
	}
	return "comet serve (" + string(cfg.Engine) + " engine)"
}
