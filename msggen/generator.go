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
	// minTick is the least time between two wake-ups: above 4,000 messages a
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
	// closeGrace is how long the last settlement may take.
	closeGrace = 5 * time.Second
)

// Generator sends messages. Make one with New.
type Generator struct {
	config  Config
	pacer   pace.Pacer
	moments pace.Moments
	total   uint64
	sender  Sender
	// answering is sender if it is one of those.
	answering answering
	source    *source
	meter     *meter
}

// New makes a generator of config, or reports everything that is wrong with it.
// It connects to nothing.
func New(config Config) (*Generator, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	config = config.withDefaults()
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
		if sender, err = NewHTTPSender(HTTPConfig{URL: config.To, Token: config.Token}); err != nil {
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
	if g.answering, _ = sender.(answering); g.answering != nil {
		g.answering.onWire(g.meter.recordOne)
	}
	return g, nil
}

// Stats is how far Run is. It is safe at any time, and cheap enough for every
// second.
func (g *Generator) Stats() Stats {
	if g.answering != nil {
		g.noteAnswers()
	}
	return g.meter.stats()
}

// Recent is how late messages were since the last call of Recent, nil if none
// was sent by a pace. It is safe at any time; who logs a line a second calls it.
func (g *Generator) Recent() *Lateness { return g.meter.takeRecent() }

// noteAnswers takes over what a sender knows that is told of each message.
func (g *Generator) noteAnswers() {
	g.meter.note(g.sender.Receipt())
	g.meter.noteAnswers(g.answering.answers())
}

// Run sends messages until the planned end or the end of ctx, and returns what
// became of them. Once only. Its error says that the server could not be
// reached at the start, answered something that trying again would not change,
// or was away at the end; the result holds what was counted until then.
//
// It keeps its goroutine on one thread, so that it wakes when a message is due.
func (g *Generator) Run(ctx context.Context) (Result, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	r := &run{Generator: g, window: window{size: int64(g.config.Window), delivered: g.config.Delivered}}
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
	return Result{Seed: g.config.Seed, Run: g.config.Run.String(), Stats: g.meter.stats()}, err
}
