package flood

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Behavior is what real clients do besides waiting. The zero value of each field
// is none of it. It needs the event loop, which there is on Linux.
type Behavior struct {
	// Ramp opens the connections in steps of time, instead of Pace.
	Ramp Ramp
	// Reconnect opens a connection again after any loss and any failure.
	Reconnect Reconnect
	// Churn has connections leave, chosen at random, and come back at once or as
	// Reconnect says.
	Churn Churn
	// Storm drops connections at one moment. They come back as with Churn.
	Storm Storm
	// SlowReaders read slowly.
	SlowReaders SlowReaders
	// HalfOpen is the share that answers nothing more once it is established, not
	// even at the level of TCP, as a client whose cable was cut.
	HalfOpen Share
}

// needsLoop reports whether there is anything that only the event loop does.
func (b *Behavior) needsLoop() bool {
	return b.Returns() || b.SlowReaders != (SlowReaders{}) || b.HalfOpen != 0
}

// Returns reports whether connections that are lost, or that leave, come back.
func (b *Behavior) Returns() bool {
	return b.Reconnect != (Reconnect{}) || b.Churn != 0 || b.Storm != (Storm{})
}

// reconnects reports whether connections that are lost, or that fail, come back.
func (b *Behavior) reconnects() bool { return b.Reconnect != (Reconnect{}) }

// Share is a part of all connections, from 0 to 1.
type Share float64

// UnmarshalText reads a percentage, such as 5% or 0.5%.
func (s *Share) UnmarshalText(text []byte) error {
	number, found := strings.CutSuffix(string(text), "%")
	v, err := strconv.ParseFloat(number, 64)
	if !found || err != nil || !(v/100 > 0 && v <= 100) {
		return fmt.Errorf("%q is not a share: write one above 0%% and up to 100%%", text)
	}
	*s = Share(v / 100)
	return nil
}

// MarshalText writes the share as it is read: 7%, and not 7.000000000000001%.
func (s Share) MarshalText() ([]byte, error) {
	percent := float64(s) * 100
	if plain := math.Round(percent*1e8) / 1e8; plain/100 == float64(s) {
		percent = plain
	}
	return append(strconv.AppendFloat(nil, percent, 'g', -1, 64), '%'), nil
}

func (s Share) String() string { text, _ := s.MarshalText(); return string(text) }

// Churn is the share of all connections that leaves in each second.
type Churn float64

// UnmarshalText reads 5%/s.
func (c *Churn) UnmarshalText(text []byte) error {
	share, found := strings.CutSuffix(string(text), "/s")
	var s Share
	if err := s.UnmarshalText([]byte(share)); err != nil || !found {
		return fmt.Errorf("%q is not a churn: write the share that leaves in each second, such as 5%%/s", text)
	}
	*c = Churn(s)
	return nil
}

// MarshalText writes the churn as it is read.
func (c Churn) MarshalText() ([]byte, error) { return []byte(Share(c).String() + "/s"), nil }

// Storm is a moment at which connections are dropped: After from when all are
// established, or from when messages are sent.
type Storm struct {
	After time.Duration
	Share Share
}

// UnmarshalText reads 30s:100%.
func (s *Storm) UnmarshalText(text []byte) error {
	after, share, found := strings.Cut(string(text), ":")
	d, err := time.ParseDuration(after)
	if !found || err != nil || d < 0 {
		return fmt.Errorf("%q is not a storm: write when and how many, such as 30s:100%%", text)
	}
	s.After = d
	return s.Share.UnmarshalText([]byte(share))
}

// MarshalText writes the storm as it is read.
func (s Storm) MarshalText() ([]byte, error) {
	return []byte(s.After.String() + ":" + s.Share.String()), nil
}

// SlowReaders is a share of all connections that reads so many bytes per second.
type SlowReaders struct {
	Share Share
	Rate  int
}

// UnmarshalText reads 1%:1KB/s; KB is 1000 bytes, KiB 1024.
func (s *SlowReaders) UnmarshalText(text []byte) error {
	share, rate, found := strings.Cut(string(text), ":")
	bytes, ok := parseByteRate(rate)
	if !found || !ok {
		return fmt.Errorf("%q are no slow readers: write how many read how fast, such as 1%%:1KB/s", text)
	}
	s.Rate = bytes
	return s.Share.UnmarshalText([]byte(share))
}

func parseByteRate(text string) (bytes int, ok bool) {
	text, ok = strings.CutSuffix(text, "/s")
	unit := 1
	for _, u := range []struct {
		name string
		size int
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"KB", 1000}, {"kB", 1000}, {"MB", 1_000_000}, {"B", 1}} {
		if number, found := strings.CutSuffix(text, u.name); found {
			text, unit = number, u.size
			break
		}
	}
	n, err := strconv.Atoi(text)
	if !ok || err != nil || n < 1 || n > math.MaxInt32/unit {
		return 0, false
	}
	return n * unit, true
}

// MarshalText writes the slow readers as they are read.
func (s SlowReaders) MarshalText() ([]byte, error) {
	return []byte(s.Share.String() + ":" + strconv.Itoa(s.Rate) + "B/s"), nil
}

// Jitter is how much of a delay is left to chance, so that clients that were lost
// together do not return together.
type Jitter string

// The jitters: see "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
const (
	FullJitter  Jitter = "full"  // anything from 0 to the delay
	EqualJitter Jitter = "equal" // from half of it to all of it
	NoJitter    Jitter = "none"
)

// Reconnect is how long clients wait before they try again: Min at first, twice
// as long after each failure, and at most Max. The zero value is no reconnect.
type Reconnect struct {
	Min, Max time.Duration
	Jitter   Jitter
}

// UnmarshalText reads min=1s,max=30s,jitter=full, of which each part may be left
// out.
func (r *Reconnect) UnmarshalText(text []byte) error {
	parsed := Reconnect{Min: time.Second, Jitter: FullJitter}
	for part := range strings.SplitSeq(string(text), ",") {
		name, value, _ := strings.Cut(part, "=")
		var err error
		switch name {
		case "min":
			parsed.Min, err = time.ParseDuration(value)
		case "max":
			parsed.Max, err = time.ParseDuration(value)
		case "jitter":
			if parsed.Jitter = Jitter(value); !slices.Contains([]Jitter{FullJitter, EqualJitter, NoJitter}, parsed.Jitter) {
				err = errors.New("a jitter is full, equal or none")
			}
		default:
			err = errors.New("it has the parts min, max and jitter")
		}
		if err != nil {
			return fmt.Errorf("%q is not a reconnect: write it as min=1s,max=30s,jitter=full (%w)", text, err)
		}
	}
	if parsed.Max == 0 {
		parsed.Max = max(30*time.Second, parsed.Min)
	}
	if parsed.Min <= 0 || parsed.Max < parsed.Min {
		return fmt.Errorf("%q is not a reconnect: min must be above 0, and max not below it", text)
	}
	*r = parsed
	return nil
}

// MarshalText writes the reconnect as it is read.
func (r Reconnect) MarshalText() ([]byte, error) {
	if r == (Reconnect{}) {
		return nil, nil
	}
	return fmt.Appendf(nil, "min=%v,max=%v,jitter=%s", r.Min, r.Max, r.Jitter), nil
}

// delay returns how long to wait before the next attempt, after so many failed
// ones. asked is what the server asked for, 0 for nothing; chance is from 0 to 1.
func (r Reconnect) delay(failed int, asked time.Duration, chance float64) time.Duration {
	d := r.Min
	for range min(failed, 62) {
		if d *= 2; d >= r.Max || d <= 0 {
			d = r.Max
			break
		}
	}
	switch r.Jitter {
	case FullJitter:
		d = time.Duration(chance * float64(d))
	case EqualJitter:
		d = d/2 + time.Duration(chance*float64(d/2))
	}
	return max(d, asked)
}
