package wire

import "bytes"

// DefaultMaxHead is the longest request head that a Parser reads unless it is
// told otherwise, in bytes: some browsers send that much in cookies.
const DefaultMaxHead = 32 << 10

// Parser reads request heads and decides their answers. The zero value is
// ready. It holds no state: one can serve any number of connections at once.
type Parser struct {
	// MaxHead is the longest request head that is read, in bytes; a longer one
	// is answered 431. 0 is DefaultMaxHead.
	MaxHead int
	// MaxIDs is how many ids a stream may have; one with more is answered 400. 0 is as
	// many as the head holds.
	MaxIDs int
	// Origins are the origins of the pages that may read the answers.
	Origins Origins
	// Authorize, if set, decides whether a request whose head is in order may have
	// the streams of ids, or their heads. It returns the answer that refuses it, or
	// nil and when the stream is to end, in Unix seconds, 0 for never. It must not
	// keep the credential.
	Authorize func(c Credential, ids []int64) (until int64, refusal *Answer)
}

// Request is a parsed request head.
type Request struct {
	// Kind is how messages are framed on this connection, and 0 if the request
	// is refused.
	Kind Kind
	// IDs are the users that the connection logs in as: at least one, each
	// once, in the order of the path.
	IDs []int64
	// Answer is the head of a stream, or the whole answer to a refused request.
	Answer []byte
	// Origin is for [Parser.Share], where the engine makes up another answer.
	Origin Origin
	// Denied is the answer of [Parser.Authorize], nil if that has refused nothing.
	Denied *Answer
	// Until is when the stream is to end, in Unix seconds, 0 for never.
	Until int64
	// Len is how many bytes of the input the head took. While the head is not
	// complete, it is where the next Parse may go on.
	Len int
}

// Scratch is memory for what Parse returns. The zero value is ready. It belongs to
// one goroutine.
type Scratch struct {
	ids    []int64
	answer []byte
}

// Refused reports whether Answer is everything to send.
func (r *Request) Refused() bool { return r.Kind == 0 }

// Parse reads the request head at the start of b and decides its answer. It
// reports false while b holds no complete head that could still become a valid
// one; a b that cannot is answered at once. A later call with more bytes passes
// Request.Len of the last one as from, so that each line is checked once.
//
// A caller who parses many heads can pass the same into each time: Request.IDs
// and Request.Answer then hold until the next Parse. The Answer may be shared and
// must not be changed.
func (p *Parser) Parse(b []byte, from int, into *Scratch) (Request, bool) {
	if into == nil {
		into = new(Scratch)
	}
	skipped := leadingEmptyLines(b)
	head := b[skipped:]
	if most := p.maxHead(); len(head) > most {
		head = head[:most]
	}
	if !maybeMethod(head) {
		return refuse(false, NotHTTP)
	}
	lineEnd := bytes.IndexByte(head, '\n')
	if lineEnd < 0 {
		return p.incomplete(head, 0)
	}
	var f fields
	isHead := bytes.HasPrefix(head, []byte("HEAD "))
	end, complete, valid := readFields(head, max(from-skipped, lineEnd+1), &f)
	if from == 0 || complete {
		method, target, minor, ok := parseRequestLine(trimCR(head[:lineEnd]))
		if !ok {
			return refuse(false, NotHTTP)
		}
		if complete && from > 0 { // what was checked earlier was not collected
			f = fields{}
			readFields(head, lineEnd+1, &f)
		}
		if complete {
			req := p.route(method, target, minor, &f, into)
			req.Len = skipped + end
			return req, true
		}
	}
	if !valid {
		return refuse(isHead, NotHTTP)
	}
	return p.incomplete(head, skipped+end)
}

func (p *Parser) maxHead() int {
	if p.MaxHead == 0 {
		return DefaultMaxHead
	}
	return p.MaxHead
}

func (p *Parser) incomplete(head []byte, next int) (Request, bool) {
	if most := p.maxHead(); len(head) >= most {
		return refuse(bytes.HasPrefix(head, []byte("HEAD ")), headTooLong(most))
	}
	return Request{Len: next}, false
}

func refuse(isHead bool, a *Answer) (Request, bool) {
	return Request{Answer: a.bytes(isHead)}, true
}

// route decides what a well-formed head gets.
func (p *Parser) route(method, target []byte, minor byte, f *fields, into *Scratch) Request {
	isHead := string(method) == "HEAD"
	origin := p.Origins.of(f)
	answer := func(a *Answer) Request {
		return Request{Answer: p.Share(a.bytes(isHead), origin), Origin: origin}
	}
	switch {
	case !f.hostOK(minor):
		return answer(BadHost)
	case f.badFraming():
		return answer(NotHTTP)
	}
	kind, list, known := kindOf(pathOf(target))
	switch string(method) {
	case "GET", "HEAD":
	case "POST":
		return answer(NotFound)
	case "OPTIONS":
		if known && f.requestMethod && f.origins > 0 && origin != noOrigin {
			return p.preflight(f)
		}
		return answer(NotImplemented)
	default:
		return answer(NotImplemented)
	}
	if !known {
		return answer(NotFound)
	}
	ids, ok := appendIDs(into.ids[:0], list)
	if !ok {
		return answer(BadID)
	}
	into.ids = ids
	if p.MaxIDs > 0 && len(ids) > p.MaxIDs {
		return answer(tooManyIDs(p.MaxIDs))
	}
	req := Request{Kind: kind, IDs: ids}
	switch {
	case kind == WebSocket:
		req = p.upgrade(f, minor, into, isHead)
	case isHead:
		req = Request{Answer: kind.of(minor).headAnswer()}
	default:
		req.Kind = kind.of(minor)
		req.Answer = req.Kind.streamHead()
	}
	if p.Authorize != nil && (kind != WebSocket || req.Kind == WebSocket) {
		until, refusal := p.Authorize(f.credential(target), ids)
		if refusal != nil {
			req = answer(refusal)
			req.Denied = refusal
			return req
		}
		req.Until = until
	}
	req.Origin = origin
	if req.Kind != WebSocket {
		req.Answer = p.Share(req.Answer, origin)
	}
	return req
}

// leadingEmptyLines counts the bytes of empty lines before the request line,
// which a robust server ignores (RFC 9112, section 2.2).
func leadingEmptyLines(b []byte) int {
	n := 0
	for n < len(b) && (b[n] == '\r' || b[n] == '\n') && n < 16 {
		n++
	}
	return n
}

// maybeMethod reports whether b can be the start of a request line. It looks
// at the method only, so that a TLS hello or a stray protocol is answered at
// its first bytes and not after the timeout.
func maybeMethod(b []byte) bool {
	for i, c := range b {
		if c == ' ' {
			return i > 0
		}
		if !isToken(c) || i >= 32 {
			return false
		}
	}
	return true
}

// parseRequestLine splits `METHOD SP target SP HTTP/1.minor`.
func parseRequestLine(line []byte) (method, target []byte, minor byte, ok bool) {
	method, rest, _ := bytes.Cut(line, []byte{' '})
	target, version, ok := bytes.Cut(rest, []byte{' '})
	if !ok || len(target) == 0 || len(version) != len("HTTP/1.1") ||
		string(version[:7]) != "HTTP/1." || version[7] < '0' || version[7] > '9' {
		return nil, nil, 0, false
	}
	for _, c := range target {
		if c <= ' ' || c == 0x7f {
			return nil, nil, 0, false
		}
	}
	return method, target, version[7], true
}
