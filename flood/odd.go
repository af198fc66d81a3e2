package flood

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"example.org/comet/server/wire"
)

// oddities counts the answers that were taken for streams and cannot be read as
// such.
type oddities struct {
	compressed map[string]uint64 // by content coding
	// Of the streams that the server ended:
	empty     uint64 // at once, with nothing in their body
	oneAnswer uint64 // with a body of a length that the head gave
}

// answered notes the head of an established stream.
func (o *oddities) answered(p *wire.ResponseParser) {
	if coding := p.Coding(); coding != "" {
		if o.compressed == nil {
			o.compressed = make(map[string]uint64)
		}
		o.compressed[coding]++
	}
}

// ended notes the end of one that was not cut off. atOnce reports whether that
// came right behind its head: a stream that lasted had nothing to bring.
func (o *oddities) ended(p *wire.ResponseParser, atOnce bool) {
	switch {
	case p.Status() == 101: // a WebSocket has no body
	case p.Begun() && p.HasLength():
		o.oneAnswer++
	case !p.Begun() && atOnce:
		o.empty++
	}
}

// explain returns a sentence for each kind that there was, with what to do.
// stamped reports whether stamps were found.
func (o *oddities) explain(stamped bool) []string {
	var all []string
	if len(o.compressed) > 0 && !stamped {
		n := uint64(0)
		for _, count := range o.compressed {
			n += count
		}
		codings := strings.Join(slices.Sorted(maps.Keys(o.compressed)), ", ")
		all = append(all, fmt.Sprintf("%d streams are compressed (Content-Encoding: %s), so that no message in them can be read: switch compression off for this URL, or ask for none with -H 'Accept-Encoding: identity'", n, codings))
	}
	if o.empty > 0 {
		all = append(all, fmt.Sprintf("%d streams ended with an empty body: the URL answers at once and does not stream; see whether it is the right one, and what the server says in its log", o.empty))
	}
	if o.oneAnswer > 0 {
		all = append(all, fmt.Sprintf("%d streams ended after one answer with a Content-Length: this is a long poll, for which give --protocol poll, or a plain page; else give the URL of a stream", o.oneAnswer))
	}
	return all
}

// explain returns what went wrong in the run, or nothing.
func (o *observer) explain() string {
	all := o.odd.explain(o.counts.Stamped+o.counts.Replayed > 0)
	if failed := o.fail.Explain(); failed != "" {
		all = append([]string{failed}, all...)
	}
	return strings.Join(all, "; ")
}
