package replica

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"example.org/comet/server/subscriptions"
)

// Config says what a Replica keeps the same as others. File and Post must be set.
type Config struct {
	// File is the server's own. It is open for longer than Run.
	File *subscriptions.File
	// Name is what the logs and /readyz of the other servers call this one. It
	// distinguishes nothing.
	Name string
	// Post sends a message to all other servers, or to the one that Receive had a
	// message from. It does not wait for them, and an error means that they do not
	// get it.
	Post func(to string, message []byte) error
	// Logger takes diagnostics; nil discards them.
	Logger *slog.Logger
}

// The times that servers keep to.
const (
	// sayInterval is how often a server says which changes it has.
	sayInterval = 2 * time.Second
	// peerLife is how long a server is known that says nothing.
	peerLife = 10 * time.Second
	// confirmTime limits how long a change waits to be confirmed.
	confirmTime = time.Second
	// greetingTime is how long a server that has come waits for others to say that
	// they are there.
	greetingTime = 300 * time.Millisecond
	// askAgain is how long an answer may take before the question is repeated.
	askAgain = 2 * time.Second
)

const (
	// batchBytes limits the changes in one message.
	batchBytes = 192 << 10
	// mostPeers and mostWanted limit what strangers can make a server remember.
	mostPeers, mostWanted = 1024, 4096
)

// Replica keeps one file the same as those of other servers. Its methods are safe
// for concurrent use.
type Replica struct {
	cfg Config
	// look has room for one token: there is a change to send, or the link is back.
	look chan struct{}
	// posting is held by who posts: goodbye is the last word, or the others would
	// know this server again.
	posting sync.Mutex

	mu     sync.Mutex
	linked bool
	// greet has Run greet the others; greeted is when it did, zero before.
	greet   bool
	greeted time.Time
	// joining: what was missed before the link was there is not known to be here.
	joining bool
	ended   bool                 // goodbye was said
	peers   map[string]*peer     // by where messages to them go
	sent    subscriptions.Head   // the last of our changes that went out
	wanted  []subscriptions.Head // changes that others have and we do not
	lost    string               // who has changes that we lack, and not in its journal any more
	failed  error                // why changes of others could not be applied
	news    chan struct{}        // is closed when something of the above changes
	counts  counts
}

// counts are the counters of Stats.
type counts struct{ sent, applied, asked, rubbish uint64 }

// peer is another server.
type peer struct {
	name     string
	heard    time.Time
	asked    time.Time // zero: no answer is outstanding
	unsure   bool      // what it has that we lack is not known
	readOnly bool
	acked    subscriptions.Head // the last of our changes that it has
}

// New returns a Replica that has not begun.
func New(cfg Config) *Replica {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Replica{cfg: cfg, look: make(chan struct{}, 1), peers: make(map[string]*peer), news: make(chan struct{}), joining: true}
}

// Run sends this server's changes, and says which it has, until ctx ends.
func (r *Replica) Run(ctx context.Context) {
	every := time.NewTicker(sayInterval)
	defer every.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-every.C:
			r.expire()
			r.say("", stateKind, nil)
		case <-r.look:
			if r.mustGreet() {
				r.say("", helloKind, nil)
			}
			r.sendChanges()
		}
	}
	r.say("", goneKind, nil)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	r.tell()
}

// Link notes that messages flow from now on, or that they do not: what is sent
// meanwhile is lost. It does not block.
func (r *Replica) Link(up bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.linked, r.greet = up, up
	r.joining, r.greeted = true, time.Time{}
	for _, p := range r.peers {
		p.unsure, p.asked, p.heard = true, time.Time{}, time.Now()
	}
	r.tell()
	r.wake()
}

// mustGreet reports whether the link has come. The others ask for what they missed
// then, so that it is not sent to all.
func (r *Replica) mustGreet() bool {
	own := r.cfg.File.Own()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.greet {
		return false
	}
	r.greet, r.greeted = false, time.Now()
	r.sent = own
	return true
}

// wake makes Run look.
func (r *Replica) wake() {
	select {
	case r.look <- struct{}{}:
	default: // it will look anyway
	}
}

// tell wakes who waits for news.
func (r *Replica) tell() {
	close(r.news)
	r.news = make(chan struct{})
}

// expire forgets servers that say nothing.
func (r *Replica) expire() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for address, p := range r.peers {
		if r.linked && time.Since(p.heard) > peerLife {
			delete(r.peers, address)
			r.tell()
		}
	}
}

// sendChanges sends the changes that were made here since the last time.
func (r *Replica) sendChanges() {
	own := r.cfg.File.Own()
	r.mu.Lock()
	sent, linked := r.sent, r.linked
	r.mu.Unlock()
	if sent.Origin != own.Origin {
		sent = subscriptions.Head{Origin: own.Origin}
	}
	for more := linked; more && sent.Seq < own.Seq; {
		var list []subscriptions.Entry
		var err error
		if list, more, err = r.cfg.File.Since(own.Origin, sent.Seq, batchBytes); err != nil || len(list) == 0 {
			r.complain(err)
			break // the others see that they lack them
		}
		sent.Seq += uint64(len(list))
		if !r.say("", changesKind, &message{Changes: list}) {
			break // as above
		}
		r.mu.Lock()
		r.counts.sent += uint64(len(list))
		r.mu.Unlock()
	}
	if sent.Seq < own.Seq {
		sent = own
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent = sent
}

// complain logs that no changes can be read from the file, if that is so.
func (r *Replica) complain(err error) {
	if err != nil {
		r.cfg.Logger.Error("the changes of subscriptions cannot be read", "error", err)
	}
}

// Confirmed sends a change that was made in File, and returns on the disks of how
// many servers it is, and how many are known, this one included. It waits for those
// that are known, but not long: a server that was away gets it later.
func (r *Replica) Confirmed(ctx context.Context, changed subscriptions.Changed) (nodes, known int) {
	r.wake()
	ctx, cancel := context.WithTimeout(ctx, confirmTime)
	defer cancel()
	for {
		nodes, known, waiting, news := r.confirmed(changed.Last)
		if !waiting {
			return nodes, known
		}
		select {
		case <-ctx.Done():
			return nodes, known
		case <-news:
		}
	}
}

// confirmed counts the servers that have a change, and reports whether it is worth
// to wait until news is closed.
func (r *Replica) confirmed(last subscriptions.Head) (nodes, known int, waiting bool, news <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	nodes, known = 1, 1
	for _, p := range r.peers {
		known++
		switch {
		case p.has(last):
			nodes++
		case !p.readOnly && r.linked && !r.ended:
			waiting = true
		}
	}
	return nodes, known, waiting, r.news
}

// has reports whether a server has confirmed one of our changes.
func (p *peer) has(last subscriptions.Head) bool {
	return p.acked.Origin == last.Origin && p.acked.Seq >= last.Seq
}
