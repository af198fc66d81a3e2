package flood

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Ramp is how many connections there are to be, and when, as text: "30s" opens all
// of them in that time, and "1k:10s,10k:30s" reaches each number so long after the
// one before. Both evenly. "" is no ramp.
type Ramp string

// UnmarshalText reads a ramp.
func (r *Ramp) UnmarshalText(text []byte) error {
	_, err := Ramp(text).steps()
	if err == nil {
		*r = Ramp(text)
	}
	return err
}

// MarshalText writes the ramp as it is read.
func (r Ramp) MarshalText() ([]byte, error) { return []byte(r), nil }

// slope is the steps of a ramp. It is a [pace.Schedule].
type slope []rampStep

// rampStep is a number of connections that is reached so long after the one before.
type rampStep struct {
	connections int // 0 is all of them
	over        time.Duration
}

// steps takes the text apart.
func (r Ramp) steps() (slope, error) {
	var ramp slope
	bad := func() (slope, error) {
		return nil, fmt.Errorf("%q is not a ramp: write a time, such as 30s, or steps of connections and time, such as 1k:10s,10k:30s", string(r))
	}
	for step := range strings.SplitSeq(string(r), ",") {
		number, over, found := strings.Cut(step, ":")
		if !found {
			number, over = "", step
		}
		d, err := time.ParseDuration(over)
		if err != nil || d <= 0 || !found && len(ramp) > 0 {
			return bad()
		}
		one := rampStep{over: d}
		if found {
			unit := 1
			if n := len(number); n > 0 && strings.ContainsAny(number[n-1:], "kM") {
				unit = map[byte]int{'k': 1000, 'M': 1_000_000}[number[n-1]]
				number = number[:n-1]
			}
			n, err := strconv.Atoi(number)
			if err != nil || n < 1 || n > math.MaxInt32/unit || len(ramp) > 0 && n*unit <= ramp[len(ramp)-1].connections {
				return bad()
			}
			one.connections = n * unit
		}
		ramp = append(ramp, one)
	}
	if len(ramp) > 1 && ramp[0].connections == 0 {
		return bad()
	}
	return ramp, nil
}

// last returns the highest number of connections, 0 for a ramp without numbers.
func (r Ramp) last() int {
	s, err := r.steps()
	if r == "" || err != nil {
		return 0
	}
	return s[len(s)-1].connections
}

// Part returns the ramp of one of several floods, which opens some of all
// connections.
func (r Ramp) Part(connections, all int) Ramp {
	steps, err := r.steps()
	if err != nil || r.last() == 0 {
		return r
	}
	var parts []string
	before, over := 0, time.Duration(0)
	for i, s := range steps {
		n := min(int(math.Round(float64(s.connections)*float64(connections)/float64(all))), connections-1)
		if i == len(steps)-1 {
			n = connections
		}
		if over += s.over; n > before { // else it joins the next step
			parts = append(parts, strconv.Itoa(n)+":"+over.String())
			before, over = n, 0
		}
	}
	return Ramp(strings.Join(parts, ","))
}

// of returns the slope with all connections for a step without a number.
func (s slope) of(all int) slope {
	if len(s) == 1 && s[0].connections == 0 {
		return slope{{all, s[0].over}}
	}
	return s
}

// Count returns how many connections are due once elapsed has passed.
func (s slope) Count(elapsed time.Duration) uint64 {
	from := 0
	for _, step := range s {
		if elapsed < step.over {
			return uint64(min(from+1+int(float64(step.connections-from)*float64(elapsed)/float64(step.over)), step.connections))
		}
		elapsed -= step.over
		from = step.connections
	}
	return uint64(from)
}

// Due returns when connection n (from 0) is due.
func (s slope) Due(n uint64) time.Duration {
	from, start := 0, time.Duration(0)
	for _, step := range s {
		if int(n) < step.connections {
			return start + time.Duration(float64(step.over)*float64(int(n)-from)/float64(step.connections-from))
		}
		start += step.over
		from = step.connections
	}
	return start
}
