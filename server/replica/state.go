package replica

import (
	"errors"
	"fmt"
	"time"

	"example.org/comet/server/subscriptions"
)

// Ready returns what this server lacks of the changes of others, nil if nothing is
// known to be missing.
func (r *Replica) Ready() error {
	state, err := r.cfg.File.State()
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	behind := r.behind(&state)
	switch {
	case behind > 0 && r.cfg.File.ReadOnly():
		return fmt.Errorf("this server lacks %d changes of subscriptions and only reads its file: start it again with a new copy of another server's file, or without --subscriptions-read-only", behind)
	case behind > 0 && r.failed != nil:
		return fmt.Errorf("this server lacks %d changes of subscriptions, which it cannot apply: %w", behind, r.failed)
	case behind > 0 && r.lost != "":
		return fmt.Errorf("this server lacks %d changes of subscriptions, and server %q does not have them all in its journal any more: stop both, and copy the file of that one here", behind, r.lost)
	case behind > 0:
		return fmt.Errorf("this server lacks %d changes of subscriptions, which it waits for", behind)
	case r.isJoining():
		return errors.New("this server is asking the others for changes of subscriptions that it has missed")
	}
	return nil
}

// behind returns how many changes of others a file in this state lacks, and
// forgets those that have come.
func (r *Replica) behind(state *subscriptions.State) (n uint64) {
	left := r.wanted[:0]
	for _, head := range r.wanted {
		if lacks := state.Lacks(head); lacks > 0 {
			n += lacks
			left = append(left, head)
		}
	}
	if r.wanted = left; n == 0 {
		r.lost, r.failed = "", nil
	}
	return n
}

// isJoining reports whether it is not known yet what was missed.
func (r *Replica) isJoining() bool {
	if !r.joining {
		return false
	}
	if r.greeted.IsZero() || time.Since(r.greeted) < greetingTime {
		return true
	}
	for _, p := range r.peers {
		if p.unsure {
			return true
		}
	}
	r.joining = false
	return false
}

// Stats is the state of a Replica, and its counters since it was made.
type Stats struct {
	Nodes   int    `json:"nodes"`   // servers with subscriptions that are known, this one included
	Pending uint64 `json:"pending"` // changes made here that not all of them have confirmed
	Behind  uint64 `json:"behind"`  // changes that another one is known to have, and this one lacks
	Sent    uint64 `json:"sent"`    // changes made here, sent to all others
	Applied uint64 `json:"applied"` // changes of others, applied here
	Asked   uint64 `json:"asked"`   // times that this server asked another one for what it lacks
	Rubbish uint64 `json:"rubbish"` // messages that could not be read
}

// Stats returns the figures so far.
func (r *Replica) Stats() Stats {
	own := r.cfg.File.Own()
	state, err := r.cfg.File.State()
	r.mu.Lock()
	defer r.mu.Unlock()
	st := Stats{Nodes: 1 + len(r.peers), Sent: r.counts.sent, Applied: r.counts.applied, Asked: r.counts.asked, Rubbish: r.counts.rubbish}
	if err == nil {
		st.Behind = r.behind(&state)
	}
	for _, p := range r.peers {
		switch {
		case p.acked.Origin != own.Origin:
			st.Pending = own.Seq
		default:
			st.Pending = max(st.Pending, own.Seq-min(own.Seq, p.acked.Seq))
		}
	}
	return st
}
