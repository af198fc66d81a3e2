package replica

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"

	"example.org/comet/server/subscriptions"
)

// protocol begins every message, so that nothing else is taken for one.
const protocol = "comet subscriptions 1"

// kind is what a message is for.
type kind string

const (
	helloKind   kind = "hello"   // as state, and wants one from everybody
	stateKind   kind = "state"   // what the sender has
	goneKind    kind = "gone"    // the sender is ending
	changesKind kind = "changes" // that the sender made
	haveKind    kind = "have"    // Have is what the sender has of your changes
	askKind     kind = "ask"     // for what a file in State lacks
	answerKind  kind = "answer"  // to ask
)

// message is what servers tell each other, as JSON.
type message struct {
	Protocol string `json:"protocol"`
	Kind     kind   `json:"kind"`
	Name     string `json:"name,omitempty"` // of the sender
	// Digest is the same for all servers that have the same changes.
	Digest   string `json:"digest"`
	ReadOnly bool   `json:"read_only,omitempty"` // the sender applies no changes

	Changes []subscriptions.Entry `json:"changes,omitempty"`
	Have    []subscriptions.Head  `json:"have,omitempty"`
	State   *subscriptions.State  `json:"state,omitempty"` // of ask and answer
	More    bool                  `json:"more,omitempty"`  // ask again: there are more changes
	Lost    bool                  `json:"lost,omitempty"`  // some are not in the journal any more
}

// parse reads a message.
func parse(data []byte) (m message, ok bool) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	if decoder.Decode(&m) != nil || decoder.More() || m.Protocol != protocol {
		return message{}, false
	}
	if (m.Kind == askKind || m.Kind == answerKind) && m.State == nil {
		return message{}, false
	}
	return m, slices.Contains([]kind{helloKind, stateKind, goneKind, changesKind, haveKind, askKind, answerKind}, m.Kind)
}

// digest returns the same for all states with the same changes.
func digest(s *subscriptions.State) string {
	var text []byte
	for _, head := range s.Heads {
		text = strconv.AppendUint(append(text, ' '), head.Origin, 10)
		text = strconv.AppendUint(append(text, ' '), head.Seq, 10)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// say sends a message of a kind, m if it is more than that, and reports whether it
// went out.
func (r *Replica) say(to string, k kind, m *message) bool {
	if m == nil {
		m = new(message)
	}
	state, err := r.cfg.File.State()
	if err != nil {
		r.complain(err)
		return false
	}
	m.Protocol, m.Kind, m.Name = protocol, k, r.cfg.Name
	m.Digest, m.ReadOnly = digest(&state), r.cfg.File.ReadOnly()
	if k == askKind || k == answerKind {
		m.State = &state
	}
	text, err := json.Marshal(m)
	if err != nil {
		r.cfg.Logger.Error("a message about subscriptions cannot be encoded", "error", err)
		return false
	}
	r.posting.Lock()
	defer r.posting.Unlock()
	r.mu.Lock()
	silent := !r.linked || r.ended
	r.ended = r.ended || k == goneKind
	r.mu.Unlock()
	if silent {
		return false
	}
	if err := r.cfg.Post(to, text); err != nil {
		r.cfg.Logger.Warn("the other servers were not told of subscriptions; they ask later", "error", err)
		return false
	}
	return true
}
