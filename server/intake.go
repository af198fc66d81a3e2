package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"example.org/comet/server/adminhttp"
	"example.org/comet/server/router"
)

// publisher hands messages to the connections of this server, and to the other
// servers if there are any, and counts them.
type publisher struct {
	core   *core
	others router.Publisher // nil for a server that is alone
	sendReceipt
	counted sendReceipt // what core has counted of it
	// unsure counts the messages that others has not confirmed, and unsent is why
	// the last unpublished one was not published.
	unsure uint64
	unsent error
	// events counts those of Sent that are events.
	events, countedEvents uint64
	// stop is closed when no more lines are to be sent; nil for never.
	stop <-chan struct{}
	// onLoop has flush wait for nothing: an event loop delivers between two lines.
	onLoop bool
}

func newPublisher(c *core) *publisher {
	p := &publisher{core: c}
	if c.Exchange != nil {
		p.others = c.Exchange.Publisher()
		p.elsewhere = new(elsewhere)
	}
	return p
}

// send hands on one message. A message that every inbox was too full for is
// dropped, which the inboxes count, and not unaddressed as well.
func (p *publisher) send(id int64, message []byte) (reached int) {
	reached, overrun := p.core.router.Send(id, message)
	p.Sent++
	p.Reached += uint64(reached)
	if p.others != nil {
		p.Here = p.Reached
		p.publish(id, message)
	} else if reached+overrun == 0 {
		p.Unaddressed++
	}
	return reached
}

// mayPass reports whether a message to id, or an event of id, may go now. It waits at
// the throttle where it may, but not once ctx has ended: what was read of a client that is
// gone is on its way all the same.
func (p *publisher) mayPass(ctx context.Context, id int64, event bool) bool {
	throttle := &p.core.throttle
	switch {
	case !throttle.isShut() || !p.isToMany(id, event):
		return true
	case p.onLoop:
		return false
	}
	p.core.router.Wake() // what was sent before
	throttle.wait(ctx)
	return true
}

// isToMany reports whether a message to id, or an event of id, is for many.
func (p *publisher) isToMany(id int64, event bool) bool {
	if !event {
		return p.core.router.Reaches(id, manyFrom)
	}
	if p.core.subscriptions == nil {
		return false
	}
	followers, _, err := p.core.subscriptions.Followers(id)
	if err != nil {
		return false // it will fail
	}
	online := 0
	for id := range followers {
		if p.core.router.Reaches(id, 1) {
			online++
		}
		if online == manyFrom {
			return true
		}
	}
	return false
}

// publish hands a message to the other servers. Whether it has an addressee
// there is not known here.
func (p *publisher) publish(id int64, message []byte) {
	p.handedOn(p.others.Publish(id, message))
}

// handedOn counts what was handed to the other servers, or not, for err.
func (p *publisher) handedOn(err error) {
	if err != nil {
		p.Unpublished++
		p.unsent = err
		return
	}
	p.Published++
	p.unsure++
}

// confirm waits until what was published is on its way for certain, and returns
// why not all of it is.
func (p *publisher) confirm(ctx context.Context) error {
	if p.others == nil {
		return nil
	}
	if p.unsure > 0 {
		if err := p.others.Confirm(ctx); err != nil {
			p.unsent = err
			p.Published -= p.unsure
			p.Unpublished += p.unsure
		}
		p.unsure = 0
	}
	if p.unsent == nil {
		return nil
	}
	return fmt.Errorf("%d of %d messages were not published to the other servers, or not for certain: %w", p.Unpublished, p.Sent, p.unsent)
}

// flush lets the messages go, and waits for loops that are behind.
func (p *publisher) flush(ctx context.Context) error {
	if p.onLoop {
		return nil
	}
	p.count()
	return p.core.router.Flush(ctx)
}

// count adds to the server's counters what was not added yet.
func (p *publisher) count() {
	p.core.sent.Add(p.Sent - p.counted.Sent)
	p.core.routed.Add(p.Reached - p.counted.Reached)
	p.core.unaddressed.Add(p.Unaddressed - p.counted.Unaddressed)
	p.core.events.Add(p.events - p.countedEvents)
	p.counted, p.countedEvents = p.sendReceipt, p.events
}

// sendReceipt answers POST /send.
type sendReceipt struct {
	Sent        uint64 `json:"sent"`        // lines accepted
	Reached     uint64 `json:"reached"`     // connections they were queued to
	Unaddressed uint64 `json:"unaddressed"` // lines to ids with nobody there
	*elsewhere
	Error string `json:"error,omitempty"`
}

// elsewhere is what a server that is not alone adds. There, Reached counts this
// server's connections only, and nothing is unaddressed, since that is not known.
type elsewhere struct {
	Here        uint64 `json:"here"`        // as Reached
	Published   uint64 `json:"published"`   // lines taken by the router
	Unpublished uint64 `json:"unpublished"` // lines that it may not have
}

// sendStream takes a line per message for as long as the client goes on, and
// passes each on as it comes. It stops at a line that it cannot read; what came
// before stands.
func (a *admin) sendStream(w http.ResponseWriter, r *http.Request) {
	if !adminhttp.Hold(w, r) { // it may be silent for minutes
		return
	}
	end, ok := a.beginIntake(w)
	if !ok {
		return
	}
	p := newPublisher(a.server.core)
	p.stop = a.stop.Done()
	var unpublished error
	err := func() error {
		defer end() // now the engine may drain
		err := p.readLines(r.Context(), r.Body)
		unpublished = p.confirm(r.Context())
		return err
	}()
	if err != nil && a.stop.Err() != nil && !isLineError(err) {
		a.HangUp(w, p.interrupted(), a.server.core.lingerTime)
		return
	}
	code, receipt := p.concluded(err)
	if unpublished != nil && code == http.StatusOK {
		code, receipt.Error = http.StatusServiceUnavailable, unpublished.Error()
	}
	if code != http.StatusOK {
		w.Header().Set("Connection", "close")
	}
	adminhttp.Reply(w, code, receipt)
}

// interrupted returns the receipt of a stream that a shutdown ends.
func (p *publisher) interrupted() sendReceipt {
	receipt := p.sendReceipt
	receipt.Error = "the server is shutting down; the messages after these were not taken"
	return receipt
}

// concluded returns the answer to a stream that ended with err.
func (p *publisher) concluded(err error) (code int, receipt sendReceipt) {
	receipt = p.sendReceipt
	var bad *lineError
	switch {
	case errors.As(err, &bad):
		receipt.Error = bad.Error()
	case err != nil:
		// Usually the client is gone. If not, it must not take silence for 200.
		receipt.Error = "the messages after these did not come whole: " + err.Error()
	default:
		return http.StatusOK, receipt
	}
	return http.StatusBadRequest, receipt
}

func isLineError(err error) bool {
	_, is := errors.AsType[*lineError](err)
	return is
}
