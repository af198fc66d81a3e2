package flood

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"example.org/comet/flood/users"
)

// Talk is what connections say beyond their request, and what they wait for.
// Texts take the escapes of Go (`\n`, `\x1e`). Those that are waited for match a
// whole message or a whole line of it, which a line feed or `\x1e` ends; a *
// stands for anything. The texts that are sent may have holes, such as {id}.
type Talk struct {
	// Ready is what makes a connection established; "" is the head of the answer.
	Ready string
	// FirstMessages are sent in order after the upgrade of a WebSocket: each is
	// "TEXT" or "WAIT=>TEXT", which is sent once WAIT has come.
	FirstMessages []string
	// Replies are "TEXT=>TEXT": whenever the first comes the second is sent, as
	// applications do with pings of their own.
	Replies []string
	// SendEvery is "30s=TEXT": what is sent again and again from when a
	// connection is established.
	SendEvery []string
	// Subprotocols are offered to a WebSocket server, which has to take one.
	Subprotocols []string
}

// needsSocket reports whether only a WebSocket can do it.
func (t *Talk) needsSocket() bool {
	return len(t.FirstMessages)+len(t.Replies)+len(t.SendEvery)+len(t.Subprotocols) > 0
}

// script is a Talk that is ready for use.
type script struct {
	ready   pattern // nil for none
	first   []exchange
	replies []exchange
	every   []beat
}

// exchange is a text that is sent once another has come; wait is nil if it waits
// for nothing.
type exchange struct {
	wait pattern
	text users.Template
}

// beat is a text that is sent again and again.
type beat struct {
	every time.Duration
	text  users.Template
}

// awaits reports whether a new connection has something to wait for, or to say.
func (s *script) awaits() bool { return s.ready != nil || len(s.first) > 0 }

// newScript reads what t says; the texts may have holes of these names.
func newScript(t *Talk, holes []string) (*script, error) {
	s := new(script)
	var errs []error
	if t.Ready != "" {
		ready, err := parsePattern(t.Ready)
		if s.ready = ready; err != nil {
			errs = append(errs, fmt.Errorf("flood: --ready: %w", err))
		}
	}
	for _, text := range t.FirstMessages {
		e, err := parseExchange(text, holes)
		if s.first = append(s.first, e); err != nil {
			errs = append(errs, fmt.Errorf("flood: --first-message %q: %w", text, err))
		}
	}
	for _, text := range t.Replies {
		e, err := parseExchange(text, holes)
		if err == nil && e.wait == nil {
			err = errors.New("write it as 'TEXT=>TEXT': what comes, and what is sent then")
		}
		if s.replies = append(s.replies, e); err != nil {
			errs = append(errs, fmt.Errorf("flood: --reply %q: %w", text, err))
		}
	}
	for _, text := range t.SendEvery {
		b, err := parseBeat(text, holes)
		if s.every = append(s.every, b); err != nil {
			errs = append(errs, fmt.Errorf("flood: --send-every %q: %w", text, err))
		}
	}
	for _, name := range t.Subprotocols {
		if name == "" || strings.ContainsAny(name, " \t\r\n,;\"()<>@:/[]?={}\\") {
			errs = append(errs, fmt.Errorf("flood: --subprotocol %q: a name has no blanks, commas or other marks", name))
		}
	}
	return s, errors.Join(errs...)
}

// parseExchange reads "TEXT", "WAIT=>TEXT", or "=>TEXT" for a text that has an
// arrow in it.
func parseExchange(source string, holes []string) (e exchange, err error) {
	text := source
	if before, after, found := strings.Cut(source, "=>"); found {
		text = after
		if before != "" {
			if e.wait, err = parsePattern(before); err != nil {
				return e, err
			}
		}
	}
	e.text, err = parseMessage(text, holes)
	return e, err
}

func parseMessage(source string, holes []string) (users.Template, error) {
	text, err := parseText(source)
	if err == nil && text == "" {
		err = errors.New("the text to send is empty")
	}
	if err != nil {
		return users.Template{}, err
	}
	// Engine.IO and SockJS put digits or letters before the JSON.
	place := users.BodyPlace("", strings.TrimLeft(text, "0123456789"), holes)
	return users.Parse(text, place, holes), nil
}

func parseBeat(source string, holes []string) (b beat, err error) {
	every, text, found := strings.Cut(source, "=")
	if !found {
		return b, errors.New("write it as 30s=TEXT")
	}
	if b.every, err = time.ParseDuration(every); err != nil || b.every < time.Millisecond {
		return b, fmt.Errorf("%q is not a time of 1ms or more: write it as 30s=TEXT", every)
	}
	b.text, err = parseMessage(text, holes)
	return b, err
}
