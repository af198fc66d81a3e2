package server

import (
	"context"
	"errors"
	"net/http"

	"example.org/comet/server/adminhttp"
	"example.org/comet/server/router"
	"example.org/comet/server/wire"
)

// errNoSubscriptions answers what needs Config.Subscriptions.
var errNoSubscriptions = errors.New("this server knows nobody's followers: start it with comet serve --subscriptions FILE")

// addEvents adds the requests that are about publishers and followers.
func (a *admin) addEvents() {
	if a.server.core.authority != nil {
		a.HandleOpen("POST /event/{publisher}", a.sendEvent)
	} else {
		a.HandleFunc("POST /event/{publisher}", a.sendEvent)
	}
	a.HandleFunc("GET /subscriptions/{follower}", a.getPublishers)
	a.HandleFunc("GET /subscriptions/{follower}/{publisher}", a.getSubscription)
	for _, method := range []string{http.MethodPut, http.MethodDelete} {
		a.HandleFunc(method+" /subscriptions/{follower}", a.change)
		a.HandleFunc(method+" /subscriptions/{follower}/{publisher}", a.change)
	}
}

// sendEvent takes one message to the followers of a publisher: the body.
func (a *admin) sendEvent(w http.ResponseWriter, r *http.Request) {
	publisher, ok := wire.ParseID([]byte(r.PathValue("publisher")))
	if !ok {
		adminhttp.Fail(w, http.StatusBadRequest, "the publisher must be a whole number from 0 to 9223372036854775807, as in /event/123")
		return
	}
	if !a.authorized(w, r, publisher) {
		return
	}
	if a.server.core.subscriptions == nil {
		adminhttp.Fail(w, http.StatusNotFound, errNoSubscriptions.Error())
		return
	}
	end, ok := a.beginIntake(w)
	if !ok {
		return
	}
	defer end()
	message, ok := a.readMessage(w, r)
	if !ok {
		return
	}
	p := newPublisher(a.server.core)
	p.mayPass(r.Context(), publisher, true)
	answer, err := p.event(r.Context(), publisher, message)
	if err != nil {
		adminhttp.Fail(w, http.StatusInternalServerError, err.Error())
		return
	}
	var code int
	code, answer.elsewhereOne, answer.Error = p.finish(r.Context(), "event", answer.Reached)
	adminhttp.Reply(w, code, answer)
}

// authorized reports whether a request may publish the events of publisher, or answers
// why not: where streams take tokens, it takes that of the admin listener or one that
// allows the publisher.
func (a *admin) authorized(w http.ResponseWriter, r *http.Request, publisher int64) bool {
	authority := a.server.core.authority
	if authority == nil || a.CarriesToken(r) {
		return true
	}
	fields := r.Header.Values("Authorization")
	credential := wire.Credential{Ambiguous: len(fields) > 1}
	if len(fields) == 1 {
		credential.Token, _ = wire.BearerToken([]byte(fields[0]))
	}
	refusal := authority.mayPublish(credential, publisher)
	if refusal == nil {
		return true
	}
	w.Header().Set("Connection", "close") // whatever body is to come
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("WWW-Authenticate", refusal.Challenge)
	adminhttp.Fail(w, refusal.Status, refusal.Sentence)
	return false
}

// eventAnswer answers POST /event/{publisher}.
type eventAnswer struct {
	Followers int `json:"followers"` // of the publisher
	Reached   int `json:"reached"`   // connections it was queued to
	*elsewhereOne
	Error string `json:"error,omitempty"`
}

// event hands a message to every connection that is logged in as a follower of
// publisher, once to each. It goes in bounded slices between the messages of others:
// it waits for loops that are behind, but not once ctx has ended, since then as well
// all followers are to get it.
func (p *publisher) event(ctx context.Context, publisher int64, message []byte) (answer eventAnswer, err error) {
	if p.core.subscriptions == nil {
		return answer, errNoSubscriptions
	}
	followers, reached, overrun, err := p.core.fanOut(publisher, message, func(more int) {
		if p.Reached += uint64(more); p.Reached-p.counted.Reached > flushAfter {
			_ = p.flush(ctx)
		}
	})
	if err != nil {
		return answer, err
	}
	p.Sent++
	p.events++
	if p.others != nil {
		p.Here = p.Reached
		p.handedOn(p.others.PublishEvent(publisher, message))
	} else if reached+overrun == 0 {
		p.Unaddressed++
	}
	return eventAnswer{Followers: followers, Reached: reached}, nil
}

// fanOut sends message to every connection that is logged in as a follower of
// publisher, and calls sent with how many each of them has.
func (c *core) fanOut(publisher int64, message []byte, sent func(reached int)) (followers, reached, overrun int, err error) {
	var known router.Followers = c.subscriptions
	ids, followers, err := known.Followers(publisher)
	if err != nil {
		return 0, 0, 0, err
	}
	fan := c.router.Fan(message)
	for id := range ids {
		to, over := fan.Send(id)
		reached += to
		overrun += over
		if to > 0 {
			sent(to)
		}
	}
	return followers, reached, overrun, nil
}

// eventFromElsewhere takes an event that another server has published. It waits for
// no loop: what an inbox cannot take is dropped and counted.
func (c *core) eventFromElsewhere(publisher int64, message []byte) (reached, overrun int) {
	queued := 0
	_, reached, overrun, err := c.fanOut(publisher, message, func(more int) {
		if queued += more; queued > flushAfter {
			c.router.Wake()
			queued = 0
		}
	})
	if err != nil && c.mayReport(&c.eventReported) {
		c.Logger.Error("an event of another server could not be delivered", "error", err)
	}
	return reached, overrun
}

// sendFrom publishes the event of a line.
func (p *publisher) sendFrom(ctx context.Context, id *int64, publisher int64, message *string) error {
	switch {
	case id != nil:
		return errors.New(`a line has an "id" or is "from" a publisher, not both`)
	case publisher < 0 || message == nil:
		return errors.New(`"from" must be a whole number from 0 and "message" a string`)
	case len(*message) > router.MaxMessage:
		return router.ErrTooLong
	}
	if p.core.authority != nil && p.core.AdminToken == "" {
		return errors.New("events take a token here: POST /event/{publisher} with one that allows the publisher, or give the server an --admin-token-file")
	}
	if !p.mayPass(ctx, publisher, true) {
		return errHeld
	}
	_, err := p.event(ctx, publisher, []byte(*message))
	return err
}
