package replica

import (
	"errors"
	"slices"
	"time"

	"example.org/comet/server/subscriptions"
)

// Receive takes a message of another server; Post to from reaches that one. Messages
// of one server come in the order they were sent in. It may wait for the disk.
func (r *Replica) Receive(from string, data []byte) {
	m, ok := parse(data)
	if !ok {
		r.reject()
		return
	}
	p := r.peer(from, &m)
	if p == nil {
		return
	}
	switch m.Kind {
	case helloKind, stateKind:
		r.compare(from, p, &m)
		if m.Kind == helloKind {
			r.say(from, stateKind, nil)
		}
	case changesKind:
		r.takeChanges(from, p, &m)
	case haveKind:
		r.acknowledge(p, m.Have)
	case askKind:
		r.acknowledge(p, m.State.Heads)
		r.answer(from, &m)
	case answerKind:
		r.takeAnswer(from, p, &m)
	case goneKind: // r.peer has forgotten it
	}
}

// reject counts a message that cannot be read.
func (r *Replica) reject() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.counts.rubbish++; r.counts.rubbish == 1 {
		r.cfg.Logger.Warn("a message about subscriptions cannot be read and is dropped, as others will be without a word: see who else publishes on these subjects")
	}
}

// peer notes that a server is there, and returns it. It returns nil if it is going,
// or if there are too many.
func (r *Replica) peer(from string, m *message) *peer {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.peers[from]
	switch {
	case m.Kind == goneKind:
		delete(r.peers, from)
		r.tell()
		return nil
	case p == nil && len(r.peers) >= mostPeers:
		return nil
	case p == nil:
		p = &peer{unsure: true}
		r.peers[from] = p
	}
	p.name, p.heard, p.readOnly = m.Name, time.Now(), m.ReadOnly
	return p
}

// compare asks a server for what it has and we lack, unless it has the same.
func (r *Replica) compare(from string, p *peer, m *message) {
	state, err := r.cfg.File.State()
	if err != nil {
		r.complain(err)
		return
	}
	if digest(&state) == m.Digest {
		r.acknowledge(p, state.Heads)
		r.mu.Lock()
		p.unsure, p.asked = false, time.Time{}
		r.mu.Unlock()
		return
	}
	r.ask(from, p)
}

// ask asks a server for what it has and we lack, unless it is about to answer.
func (r *Replica) ask(from string, p *peer) {
	r.mu.Lock()
	if time.Since(p.asked) < askAgain {
		r.mu.Unlock()
		return
	}
	p.asked = time.Now()
	r.counts.asked++
	r.mu.Unlock()
	r.say(from, askKind, nil)
}

// answer sends a server what it lacks, or a part of that, and what there is.
func (r *Replica) answer(to string, ask *message) {
	if ask.ReadOnly {
		r.say(to, answerKind, nil)
		return
	}
	list, more, lost, err := r.cfg.File.Missing(*ask.State, batchBytes)
	if err != nil {
		r.complain(err)
		return
	}
	r.say(to, answerKind, &message{Changes: list, More: more, Lost: lost})
}

// acknowledge notes which of our changes a server has.
func (r *Replica) acknowledge(p *peer, heads []subscriptions.Head) {
	own := r.cfg.File.Own()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, head := range heads {
		if head.Origin == own.Origin && (p.acked.Origin != head.Origin || p.acked.Seq < head.Seq) {
			p.acked = head
			r.tell()
		}
	}
}

// merge applies changes that a server sent, and confirms what is here now. It
// returns how many were new, and which changes this file has then.
func (r *Replica) merge(from string, list []subscriptions.Entry) (applied int, state subscriptions.State) {
	merged, err := r.cfg.File.Merge(list)
	if errors.Is(err, subscriptions.ErrEntry) {
		r.reject()
		return 0, state
	}
	state, unread := r.cfg.File.State()
	r.mu.Lock()
	r.counts.applied += uint64(merged.Applied)
	if err = errors.Join(err, unread); err != nil {
		r.fails(err)
	}
	r.want(&state, merged.Last)
	r.mu.Unlock()
	have := slices.DeleteFunc(slices.Clone(state.Heads), func(head subscriptions.Head) bool {
		return !slices.ContainsFunc(merged.Last, func(last subscriptions.Head) bool { return last.Origin == head.Origin })
	})
	if len(list) > 0 {
		r.say(from, haveKind, &message{Have: have})
	}
	return merged.Applied, state
}

// want notes that another server has the changes up to heads.
func (r *Replica) want(state *subscriptions.State, heads []subscriptions.Head) {
	for _, head := range heads {
		if state.Lacks(head) == 0 {
			continue
		}
		i := slices.IndexFunc(r.wanted, func(w subscriptions.Head) bool { return w.Origin == head.Origin })
		switch {
		case i >= 0 && r.wanted[i].Seq < head.Seq:
			r.wanted[i] = head
		case i < 0 && len(r.wanted) < mostWanted:
			r.wanted = append(r.wanted, head)
		}
	}
}

// takeChanges applies changes as they are made. Where some before them are lacking,
// it asks for those.
func (r *Replica) takeChanges(from string, p *peer, m *message) {
	_, state := r.merge(from, m.Changes)
	r.mu.Lock()
	behind := r.behind(&state)
	r.mu.Unlock()
	if behind > 0 {
		r.ask(from, p)
	}
}

// takeAnswer applies what this server has asked for, and asks for the rest.
func (r *Replica) takeAnswer(from string, p *peer, m *message) {
	applied, state := r.merge(from, m.Changes)
	again := m.More && applied > 0
	r.mu.Lock()
	r.want(&state, m.State.Heads)
	if m.Lost && r.behind(&state) > 0 {
		r.loses(m.Name)
	}
	p.unsure, p.asked = again, time.Time{}
	r.mu.Unlock()
	if again {
		r.ask(from, p)
	}
}

// fails notes why changes cannot be applied.
func (r *Replica) fails(err error) {
	if r.failed == nil && !errors.Is(err, subscriptions.ErrReadOnly) {
		r.cfg.Logger.Error("changes of subscriptions of another server cannot be applied", "error", err)
	}
	r.failed = err
}

// loses notes that a server has changes that we lack, and not in its journal.
func (r *Replica) loses(name string) {
	if r.lost == "" {
		r.cfg.Logger.Error("this server was away for too long to catch up: stop both, and copy the file of subscriptions of the other one here", "server", name)
	}
	r.lost = name
}
