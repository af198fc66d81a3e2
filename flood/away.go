package flood

import (
	"net/http"
	"strconv"
	"time"

	"example.org/comet/server/wire"
)

// leave readies r for another connection: what has come of messages that were cut
// off is dropped, the account of those that came is kept. It returns how long the
// server asked to wait, 0 if it did not.
func (o *observer) leave(r *reading) (asked time.Duration) {
	asked, o.asked = o.asked, 0
	r.next()
	r.turn++
	r.events, r.messages = 0, 0
	row := o.spares.of(r)
	if row.events != nil {
		if id := row.events.LastID; id != "" {
			cookies, _ := cutCookies(row.carry)
			row.carry = append(append(append(cookieLine(cookies), "Last-Event-ID: "...), id...), "\r\n"...)
		}
		if retry := row.events.Retry; retry > 0 {
			row.retry = retry
		}
	}
	asked = max(asked, row.retry)
	*row = spare{
		head: row.head[:0], stamp: row.stamp[:0], account: row.account, carry: row.carry, retry: row.retry,
		back: r.track.last > 0,
	}
	o.spares.tidy(r)
	return asked
}

// returned counts a connection that is established again, after so long.
func (o *observer) returned(r *reading, away time.Duration) {
	o.odd.answered(&r.parser)
	o.counts.Connected++
	o.counts.Closed--
	o.counts.Reconnect.Back++
	record(o.offline, away)
}

// maxAsked is the longest that a server may ask to wait.
const maxAsked = 1 << 31 * time.Second

// wait notes how long the head of an answer that is refused asks to wait (RFC 9110,
// section 10.2.3).
func (o *observer) wait() {
	o.asked = 0
	fields := wire.HeadFields(o.head)
	for name, value, ok := fields.Next(); ok; name, value, ok = fields.Next() {
		if http.CanonicalHeaderKey(string(name)) != "Retry-After" {
			continue
		}
		if seconds, err := strconv.ParseUint(string(value), 10, 31); err == nil {
			o.asked = time.Duration(seconds) * time.Second
		} else if at, err := http.ParseTime(string(value)); err == nil {
			o.asked = min(max(time.Until(at), 0), maxAsked)
		}
	}
}
