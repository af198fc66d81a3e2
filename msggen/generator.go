package msggen

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"example.org/comet/flood/pace"
)

const (
	// minTick is the least time between two wake-ups: above 4,000 messages per
	// second they are sent in batches, at most this much later, because what
	// costs is the wake-ups and the system calls, here and in the server.
	minTick = 250 * time.Microsecond
	// maxBatch bounds what one Flush carries.
	maxBatch = 4096
	// maxUnsettled bounds what one settlement covers without a pace, and with
	// it what a lost server leaves unknown.
	maxUnsettled = 4096
	// maxRound is the batch without a pace, some 16 KB: large enough to make
	// the system call cheap, small enough to keep the server busy evenly.
	maxRound = 256
	// settleEvery is how often the server is asked what it accepted.
	settleEvery = time.Second
	// settleAtLeast is how often it is asked however long that takes.
	settleAtLeast = 10 * time.Second
	// settleShare keeps settling rare where it takes long: it delays what is
	// due meanwhile, which must stay well under one message in a hundred.
	settleShare = 200
	// closeGrace is how long the last settlement may take, and hurriedGrace how
	// long in a run that was ended early.
	closeGrace, hurriedGrace = 5 * time.Second, 1500 * time.Millisecond
	// stallNotice is how long a call may hold up the run at its end before what
	// came due meanwhile counts as refused.
	stallNotice = 50 * time.Millisecond
)

// Generator sends messages. Make one with New.
type Generator struct {
	config  Config
	pacer   pace.Pacer
	moments pace.Moments
	total   uint64
	sender  Sender
	// timed and answering are sender if it is one of those.
	timed     timed
	answering answering
	source    *source
	meter     *meter
}

// New returns a generator, or an error that names everything wrong with config.
// It connects to nothing.
func New(config Config) (*Generator, error) {
	err := config.Validate()
	if err != nil {
		return nil, err
	}
	config = config.withDefaults()
	if config.numbers, err = config.numbersOf(); err != nil {
		return nil, fmt.Errorf("msggen: %w", err)
	}
	pacer, err := config.pacer()
	if err != nil {
		return nil, fmt.Errorf("msggen: %w", err)
	}
	moments, err := config.Arrivals.moments(pacer, rand.NewPCG(config.Seed, streamArrivals))
	if err != nil {
		return nil, fmt.Errorf("msggen: %w", err)
	}
	sender := config.Sender
	if sender == nil {
		if sender, err = NewHTTPSender(HTTPConfig{URL: config.To, Token: config.Token, TLS: config.TLS, Events: config.Events}); err != nil {
			return nil, err
		}
	}
	g := &Generator{
		config:  config,
		pacer:   pacer,
		moments: moments,
		total:   config.total(),
		sender:  sender,
		source:  newSource(config, config.Run),
		meter:   newMeter(),
	}
	g.timed, _ = sender.(timed)
	if g.answering, _ = sender.(answering); g.answering != nil {
		g.answering.onLate(g.meter.recordOne)
	}
	return g, nil
}

// Stats returns how far Run is. It is safe at any time, and cheap enough to call
// every second.
func (g *Generator) Stats() Stats {
	if g.answering != nil {
		g.noteAnswers()
	}
	return g.meter.stats()
}

// Recent returns how late messages were since the last call of Recent, nil if
// none was sent by a pace. It is safe at any time; whoever logs a line each second
// calls it.
func (g *Generator) Recent() *Lateness { return g.meter.takeRecent() }

// noteAnswers copies the counts of an answering sender into the meter.
func (g *Generator) noteAnswers() {
	g.meter.note(g.sender.Receipt())
	g.meter.noteAnswers(g.answering.answers())
}

// Run sends messages until the planned end or the end of ctx, and returns what
// became of them. Call it once. It fails if the server could not be reached at
// the start, answered something that trying again would not change, claims what
// cannot be, or was unreachable at the end; the result holds what was counted
// until then. Refused messages alone are not an error of Run: see [Result.Err].
//
// Unless Config.Alone gives it a processor, it keeps its goroutine on one thread,
// so that it wakes when a message is due.
func (g *Generator) Run(ctx context.Context) (Result, error) {
	if !g.config.Alone {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
	}
	r := &run{Generator: g, window: window{size: int64(g.config.Window), each: int64(g.config.Reach), delivered: g.config.Delivered}}
	err := r.open(ctx)
	switch {
	case err != nil:
	case g.pacer.Unpaced():
		err = r.flatOut(ctx)
	default:
		err = r.paced(ctx)
	}
	err = errors.Join(err, r.finish(ctx))
	if g.answering != nil {
		g.noteAnswers()
	}
	stats := g.meter.stats()
	if stats.Asked != r.next {
		err = errors.Join(err, fmt.Errorf("msggen: the account does not add up: %d messages were due, and the sender says sent %d, refused %d, unknown %d, unanswered %d, which makes %d",
			r.next, stats.Sent, stats.Refused, stats.Unknown, stats.Unanswered, stats.Asked))
	}
	return Result{Seed: g.config.Seed, Run: g.config.Run.String(), Stats: stats}, err
}
