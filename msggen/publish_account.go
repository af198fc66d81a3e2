package msggen

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"time"

	"example.org/comet/server/wire"
)

// refusal is why messages were refused, and how many for that reason: the first
// of its kind explains them all.
type refusal struct {
	n   uint64
	err error
}

// The reasons that are no status.
const (
	neverRead = -iota - 1 // the server ended each connection before it read them
	tooLate               // they waited until the end
	wasAway               // they waited when the server went away
)

// Receipt returns what is known so far. It is safe at any time.
func (s *PublishSender) Receipt() Receipt {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.receipt
}

// Answers returns those so far. It is safe at any time.
func (s *PublishSender) Answers() Answers {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := Answers{Statuses: maps.Clone(s.statuses)}
	if n, err := s.commonestLocked(); err != nil {
		a.Refusal, a.commonest = err.Error(), n
	}
	return a
}

func (s *PublishSender) answers() Answers                       { return s.Answers() }
func (s *PublishSender) onLate(record func(late time.Duration)) { s.late = record }

// commonestLocked returns why most of the refused messages were refused.
func (s *PublishSender) commonestLocked() (n uint64, err error) {
	status := 0
	for key, r := range s.refusals {
		if r.n > n || r.n == n && key > status {
			status, n, err = key, r.n, r.err
		}
	}
	return n, err
}

// refuseLocked counts n messages as refused; why is called for the first of a
// reason.
func (s *PublishSender) refuseLocked(reason int, n uint64, why func() error) {
	s.receipt.Unanswered -= n
	s.receipt.Refused += n
	r := s.refusals[reason]
	if r == nil {
		r = &refusal{err: why()}
		s.refusals[reason] = r
	}
	r.n += n
}

// progress counts the answers, so that it moves while the server works.
func (s *PublishSender) progress() (n uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.receipt.Sent + s.refused
}

// wrote books that a message is on the wire.
func (s *PublishSender) wrote() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting--
	s.tell()
}

// record counts how late p was at a moment.
func (s *PublishSender) record(p pending, at time.Time) {
	if s.late != nil && !p.due.IsZero() {
		s.late(at.Sub(p.due))
	}
}

// dropped books that messages will not be sent. They are late by at least as
// long as they have waited.
func (s *PublishSender) dropped(messages []pending) {
	now := time.Now()
	for _, p := range messages {
		s.record(p, p.due.Add(neverSent(now.Sub(p.due))))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range messages {
		if p.tries == 0 {
			s.waiting--
		}
	}
	if away := s.err; away != nil {
		s.refuseLocked(wasAway, uint64(len(messages)), func() error { return away })
	} else {
		s.refuseLocked(tooLate, uint64(len(messages)), func() error {
			return fmt.Errorf("msggen: %s answers too slowly: messages still waited for a connection at the end; send fewer per second, or over more connections", s.template.shown)
		})
	}
	s.tell()
}

// unread books that the server ended each connection that p was sent over
// before it read p; final, if set, is why no later one will do better.
func (s *PublishSender) unread(p pending, final error) {
	s.record(p, p.written)
	err := final
	if err == nil {
		err = fmt.Errorf("msggen: %s was not read: the server takes connections and closes them; see that it speaks HTTP/1.1 there, and if a proxy does, that the server behind it runs", s.template.line(p.id))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuseLocked(neverRead, 1, func() error { return err })
	switch s.cut++; {
	case final != nil:
		s.failLocked(final)
	case s.cut >= max(len(s.lanes), enoughCuts):
		s.failLocked(&awayError{err})
	}
	s.tell()
}

// lost books that p got no answer, because of cause.
func (s *PublishSender) lost(p pending, cause error) {
	s.record(p, p.written)
	_, silent := errors.AsType[*silentError](cause)
	_, strange := errors.AsType[*notHTTPError](cause)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.receipt.Unanswered--
	s.receipt.Unknown++
	s.cut++
	if silent {
		s.silent++
	}
	ever, cut := len(s.statuses) > 0, s.cut
	gone := s.cut >= max(len(s.lanes), enoughCuts) || s.silent >= len(s.lanes) || strange && !ever
	switch {
	case !gone:
	case ever:
		s.failLocked(&awayError{fmt.Errorf("msggen: %s answers no more: the last %d requests were cut off (%w): what became of their messages is unknown, each may or may not have been delivered; see that the server runs, its log should say why", s.template.shown, cut, cause)})
	default:
		s.failLocked(fmt.Errorf("msggen: %s takes connections, but has never answered as HTTP/1.1 does (%w): see that it speaks HTTP/1.1 there", s.template.line(p.id), cause))
	}
	s.tell()
}

// answered books an answer. Its text is of a refusal.
func (s *PublishSender) answered(p pending, resp *http.Response, text []byte) {
	s.record(p, p.written)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.statuses[resp.StatusCode]++
	s.cut, s.silent = 0, 0
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		s.receipt.Unanswered--
		s.receipt.Sent++
	} else {
		s.refuseLocked(resp.StatusCode, 1, func() error { return s.explain(p.id, resp, text) })
		s.refused++
	}
	if s.receipt.Sent == 0 && s.refused >= enoughRefusals {
		_, err := s.commonestLocked()
		s.failLocked(err)
	}
	s.tell()
}

// explain says what an answer means that is no 2xx.
func (s *PublishSender) explain(id int64, resp *http.Response, text []byte) error {
	what := s.template.line(id) + " was answered " + wire.Said(resp, text)
	if advice := wire.Advise(resp, text, s.template.tls, wire.Publishing); advice != "" {
		what += ": " + advice
	}
	return errors.New("msggen: " + what)
}
