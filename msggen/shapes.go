package msggen

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"example.org/comet/flood/pace"
)

// Shape names how something is distributed: see [Distribution], [Arrivals] and
// [Size], each of which has shapes of its own.
type Shape string

// The shapes there are.
const (
	Uniform     Shape = "uniform"
	Zipf        Shape = "zipf"
	Hot         Shape = "hot"
	Sequential  Shape = "sequential"
	Constant    Shape = "constant"
	Poisson     Shape = "poisson"
	Bursts      Shape = "bursts"
	Ramp        Shape = "ramp"
	Fixed       Shape = "fixed"
	Exponential Shape = "exponential"
)

const (
	// DefaultExponent is that of Zipf's own law.
	DefaultExponent = 1.0
	// DefaultHotMessages is the share of messages that go to a hot set.
	DefaultHotMessages = 0.9
	// DefaultHotIDs is the share of ids in it.
	DefaultHotIDs = 0.1
	// DefaultBurst is how many messages are due at once with Bursts.
	DefaultBurst = 100

	maxExponent = 1000
	// maxMean keeps an exponential size under maxSize but for once in 10^7.
	maxMean = maxSize / 16
)

// Distribution says how likely each id is to get a message.
type Distribution struct {
	// Shape is Uniform (which "" means too): each id is as likely as any other;
	// Zipf: the k-th likeliest id is likely in proportion to k^-Exponent; Hot: a
	// few ids get most messages; or Sequential: one id after the other, and from
	// the first again. With Zipf and Hot, Config.Seed decides which ids are the
	// likely ones: they lie scattered among the others.
	Shape Shape
	// Exponent is Zipf's, above 0, also 1 and below. 0 means DefaultExponent.
	Exponent float64
	// HotMessages is the share of the messages that goes to the hot ids, HotIDs
	// the share of the ids that are hot (at least one), each above 0 and up to 1.
	// 0 means DefaultHotMessages and DefaultHotIDs.
	HotMessages, HotIDs float64
}

func (d Distribution) withDefaults() Distribution {
	if d.Shape == "" {
		d.Shape = Uniform
	}
	if d.Shape == Zipf && d.Exponent == 0 {
		d.Exponent = DefaultExponent
	}
	if d.Shape == Hot && d.HotMessages == 0 {
		d.HotMessages = DefaultHotMessages
	}
	if d.Shape == Hot && d.HotIDs == 0 {
		d.HotIDs = DefaultHotIDs
	}
	return d
}

func (d Distribution) validate() error {
	share := func(x float64) bool { return x > 0 && x <= 1 }
	switch d = d.withDefaults(); {
	case d.Shape == Uniform, d.Shape == Sequential:
		return nil
	case d.Shape == Zipf && !(d.Exponent > 0 && d.Exponent <= maxExponent):
		return fmt.Errorf("the exponent of zipf is %v: it must be above 0 and up to %d", d.Exponent, maxExponent)
	case d.Shape == Zipf:
		return nil
	case d.Shape == Hot && !(share(d.HotMessages) && share(d.HotIDs)):
		return fmt.Errorf("%v of the messages to %v of the ids: both shares must be above 0 and up to 1", d.HotMessages, d.HotIDs)
	case d.Shape == Hot:
		return nil
	}
	return fmt.Errorf("unknown distribution %q: choose uniform, zipf, hot or sequential", d.Shape)
}

// Arrivals says how the messages lie in time, at the rate that Config sets.
type Arrivals struct {
	// Shape is Constant (which "" means too): evenly spread; Poisson:
	// independent of each other, as the requests of many users are; Bursts:
	// Burst of them at once; or Ramp: the rate changes evenly from From to that
	// of Config within Over, and stays there.
	Shape Shape
	// Burst is how many messages are due at once. 0 means DefaultBurst.
	Burst uint64
	// From is messages per second of all senders at the start of a Ramp.
	From float64
	// Over is how long a Ramp takes. It must be set.
	Over time.Duration
}

// maxBurst bounds what is due at once: a run that ends counts all of it as refused.
const maxBurst = 10_000_000

// moments returns a's moments for a constant rate of pacer; validate is this
// without the result. random is for Poisson alone.
func (a Arrivals) moments(pacer pace.Pacer, random rand.Source) (pace.Moments, error) {
	if pacer.Unpaced() {
		if a.Shape != "" && a.Shape != Constant {
			return nil, fmt.Errorf("%s arrivals need a rate, which Max is not", a.Shape)
		}
		return pace.Of(pacer), nil
	}
	switch a.Shape {
	case "", Constant:
		return pace.Of(pacer), nil
	case Poisson:
		return pace.Poisson(pacer.Rate(), random)
	case Bursts:
		size := a.Burst
		if size == 0 {
			size = DefaultBurst
		}
		if size > maxBurst {
			return nil, fmt.Errorf("%d messages at once: use up to %d", size, maxBurst)
		}
		return pace.Of(pace.Bursts{Pacer: pacer, Size: size}), nil
	case Ramp:
		if a.Over == 0 {
			return nil, fmt.Errorf("a ramp needs a time to take: set Over")
		}
		ramp, err := pace.NewRamp(a.From, pacer.Rate(), a.Over)
		return pace.Of(ramp), err
	}
	return nil, fmt.Errorf("unknown arrivals %q: choose constant, poisson, bursts or ramp", a.Shape)
}

// Size says how long messages are, in bytes. It is a least length: a message
// never gets shorter than its text and stamp, some 65 bytes, and is filled up
// behind them.
type Size struct {
	// Shape is Fixed (which "" means too): Bytes; Uniform: each size from Min to
	// Max is as likely as any other; or Exponential: many are short, few are
	// long, with a mean of Bytes, and none is over 1 MiB.
	Shape    Shape
	Bytes    int
	Min, Max int
}

func (z Size) validate() error {
	fits := func(n int) bool { return n >= 0 && n <= maxSize }
	switch z.Shape {
	case "", Fixed:
		if !fits(z.Bytes) {
			return fmt.Errorf("%d bytes: it must be from 0 to %d", z.Bytes, maxSize)
		}
	case Uniform:
		if !fits(z.Min) || !fits(z.Max) || z.Min > z.Max {
			return fmt.Errorf("from %d to %d bytes: it must rise, and lie between 0 and %d", z.Min, z.Max, maxSize)
		}
	case Exponential:
		if z.Bytes < 1 || z.Bytes > maxMean {
			return fmt.Errorf("%d bytes as the mean: it must be from 1 to %d", z.Bytes, maxMean)
		}
	default:
		return fmt.Errorf("unknown size %q: choose fixed, uniform or exponential", z.Shape)
	}
	return nil
}

// draw returns a size drawn from random, which Fixed leaves alone.
func (z Size) draw(random *rand.PCG) int {
	switch z.Shape {
	case Uniform:
		return z.Min + int(uniform(random, uint64(z.Max-z.Min)+1))
	case Exponential:
		return int(min(maxSize, -math.Log(unit(random))*float64(z.Bytes)+0.5))
	}
	return z.Bytes
}
