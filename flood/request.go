package flood

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"example.org/comet/flood/users"
	"example.org/comet/server/wire"
)

// request is one URL, taken apart.
type request struct {
	host   string // as it goes into the Host header
	secure bool   // TLS
	socket bool   // a WebSocket
	path   users.Template
	hasID  bool
	at     int // index in targets.hosts
}

const idHole = "{id}"

// parseURL takes a URL apart, without resolving its host. Its path and query may
// have holes of these names, of which the first is id.
func parseURL(text string, protocol Protocol, holes []string) (request, error) {
	// {id} is not a valid character of a URL; digits stand in for each hole, with a
	// number in front that is not in the URL. It is a 1 with zeros behind it, and
	// no other digit is a 1 or 0, so digits beside a hole do not move where it is
	// found again.
	standIn := "10000"
	for strings.Contains(text, standIn) {
		standIn += "0"
	}
	plain := text
	for i, name := range holes {
		plain = strings.ReplaceAll(plain, "{"+name+"}", standIn+holeDigits(i))
	}
	u, err := url.Parse(plain)
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err // without the URL again
		}
		return request{}, badURL(text, "%w", err)
	}
	if err := checkScheme(u, text); err != nil {
		return request{}, err
	}
	switch {
	case u.Hostname() == "" || strings.Contains(u.Host, standIn):
		return request{}, badURL(text, "a host must follow %s://", u.Scheme)
	case u.User != nil:
		return request{}, badURL(text, "a name and password are not sent; give a header `Authorization: Basic …`")
	}
	if err := protocol.check(u.Scheme); err != nil {
		return request{}, badURL(text, "%w", err)
	}
	path := u.RequestURI()
	for i, name := range holes {
		path = strings.ReplaceAll(path, standIn+holeDigits(i), "{"+name+"}")
	}
	hasID := strings.Contains(path, idHole)
	switch {
	case strings.Contains(path, " "):
		return request{}, badURL(text, "write %%20 for a space")
	case hasID != strings.Contains(text, idHole):
		return request{}, badURL(text, "{id} must stand in the path or the query")
	}
	return request{
		host: u.Host, secure: schemes[u.Scheme], socket: protocol.socket(u.Scheme),
		path: users.Parse(path, users.URL, holes), hasID: hasID,
	}, nil
}

// badURL returns what is wrong with a URL, and shows it without what lets somebody in.
func badURL(text, format string, args ...any) error {
	return fmt.Errorf("URL %q: %w", wire.ShowURL(text), fmt.Errorf(format, args...))
}

// holeDigits returns a number of hole i, all of the same length, without 0 and 1.
func holeDigits(i int) string {
	const digits = "23456789"
	return string([]byte{digits[i>>9&7], digits[i>>6&7], digits[i>>3&7], digits[i&7]})
}

// asking makes the request of each connection, which costs no memory per
// connection.
type asking struct {
	requests     []request // one, or one per URL
	method       string
	header       users.Template // every line of the head but the first and Host
	ownHost      bool           // header has a Host line
	ownCookie    bool           // header ends with a line of cookies
	body         users.Template
	subprotocols []string
	users        *users.Table
	columns      []int     // of users, for each hole
	first        int64     // the ids for {id}, or the rows of users, from 1
	count        int64     // of them
	subscribers  int       // how many connections in a row are in one room
	skip         int       // how many of the first room are elsewhere
	seed         [2]uint64 // of the keys of WebSockets
}

// append appends the request of connection i (from 0), with fields that it
// carries on from an earlier answer.
func (a *asking) append(dst []byte, i int, carried []byte, turn uint8) []byte {
	r := a.request(i)
	dst = append(dst, a.method...)
	dst = append(dst, ' ')
	dst = a.fill(dst, r.path, i)
	dst = append(dst, " HTTP/1.1\r\n"...)
	if !a.ownHost {
		dst = append(dst, "Host: "...)
		dst = append(dst, r.host...)
		dst = append(dst, "\r\n"...)
	}
	from := len(dst)
	dst = a.fill(dst, a.header, i)
	if a.ownCookie {
		dst = joinCookies(dst, from, carried)
	} else {
		dst = append(dst, carried...)
	}
	if r.socket {
		h := a.handshake(i, turn)
		dst = h.AppendFields(dst)
	}
	if a.method == "GET" {
		return append(dst, "\r\n"...)
	}
	body := a.fill(nil, a.body, i)
	dst = append(dst, "Content-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(body)), 10)
	dst = append(dst, "\r\n\r\n"...)
	return append(dst, body...)
}

// drawn reports whether connection i (from 0) is among a share of all, which differs
// from one purpose to another.
func (a *asking) drawn(i int, purpose uint64, share Share) bool {
	return float64(mixed(a.seed[0]^purpose<<56+uint64(i))>>11)/(1<<53) < float64(share)
}

// socket reports whether connection i (from 0) is to become a WebSocket.
func (a *asking) socket(i int) bool { return a.request(i).socket }

// request returns the URL of connection i (from 0).
func (a *asking) request(i int) *request { return &a.requests[a.room(i)%len(a.requests)] }

// room returns the number of the room (from 0) that connection i (from 0) is in.
func (a *asking) room(i int) int { return (a.skip + i) / a.subscribers }

// handshake returns what connection i (from 0) asks a WebSocket server for, each
// turn with another key (RFC 6455, section 4.1).
func (a *asking) handshake(i int, turn uint8) wire.Handshake {
	h := wire.Handshake{Subprotocols: a.subprotocols}
	binary.LittleEndian.PutUint64(h.Key[:], mixed(a.seed[0]+uint64(turn)<<56+uint64(i)))
	binary.LittleEndian.PutUint64(h.Key[8:], mixed(a.seed[1]+uint64(turn)<<56+uint64(i)))
	return h
}

// mixed spreads a number over all of its bits (the finalizer of SplitMix64).
func mixed(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// fill appends a text with the values of connection i (from 0).
func (a *asking) fill(dst []byte, text users.Template, i int) []byte {
	var digits [20]byte
	n := a.first + int64(a.room(i))%a.count
	return text.Append(dst, func(hole int) []byte {
		column := a.columns[hole]
		if column < 0 {
			return strconv.AppendInt(digits[:0], n, 10)
		}
		return []byte(a.users.Cell(a.users.Row(n), column))
	})
}

// newAsking makes the requests of cfg, whose URLs are taken apart already.
func newAsking(cfg *Config) (*asking, error) {
	holes, columns := cfg.Users.Holes()
	a := &asking{
		method: cfg.Method, subprotocols: cfg.Subprotocols, users: cfg.Users, columns: columns,
		first: cfg.FirstID, count: cfg.LastID - cfg.FirstID + 1,
		subscribers: max(cfg.Subscribers, 1), skip: cfg.Skip, seed: [2]uint64{cfg.random(), cfg.random()},
	}
	given := func(want string) bool {
		return slices.ContainsFunc(cfg.Header, func(line string) bool {
			name, _, _ := strings.Cut(line, ":")
			return strings.EqualFold(strings.TrimSpace(name), want)
		})
	}
	a.ownHost = given("Host")
	lines := slices.Clone(cfg.Header)
	if !given("User-Agent") {
		lines = append(lines, "User-Agent: comet-flood")
	}
	if cfg.Protocol == SSE && !given("Accept") {
		lines = append(lines, "Accept: text/event-stream")
	}
	kind := ""
	for _, line := range cfg.Header {
		if name, value, _ := strings.Cut(line, ":"); strings.EqualFold(name, "Content-Type") {
			kind = value
		}
	}
	place := users.BodyPlace(kind, cfg.Body, holes)
	if kind == "" && place == users.JSON {
		lines = append(lines, "Content-Type: application/json")
	}
	lines, a.ownCookie = cookiesLast(lines)
	header := strings.Join(append(lines, ""), "\r\n")
	a.header, a.body = users.Parse(header, users.Header, holes), users.Parse(cfg.Body, place, holes)
	if cfg.Users != nil {
		if err := cfg.Users.Check(a.header, columns); err != nil {
			return nil, fmt.Errorf("flood: %w", err)
		}
	}
	return a, nil
}

// SaysID reports whether connections say who they are, in their URL, the head or
// body of their request, or a first message: by their ids, or by a column that no
// two users have the same text in.
func (c Config) SaysID() bool {
	says := func(hole string) bool {
		in := func(text string) bool { return strings.Contains(text, hole) }
		return in(c.URL) || in(c.Body) || slices.ContainsFunc(c.Header, in) || slices.ContainsFunc(c.FirstMessages, in)
	}
	return says(idHole) || c.Users.Names(says)
}
