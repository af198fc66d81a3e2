package wire

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// eventsOf reads a stream in pieces and returns its events as text.
func eventsOf(r *EventReader, pieces ...string) (all []string) {
	for _, piece := range pieces {
		r.Feed([]byte(piece), func(e Event) { all = append(all, fmt.Sprintf("%s|%s", e.Type, e.Data)) })
	}
	return all
}

func TestEvents(t *testing.T) {
	for _, test := range []struct {
		name, stream string
		want         []string
		id           string
		retry        time.Duration
	}{
		{"one", "data: hello\n\n", []string{"|hello"}, "", 0},
		{"the standard's stock ticker", "data: YHOO\ndata: +2\ndata: 10\n\n", []string{"|YHOO\n+2\n10"}, "", 0},
		{"comments and ids", ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n", []string{"|first event", "|second event", "| third event"}, "", 0},
		{"empty data are events, no blank line ends none", "data\n\ndata\ndata\n\ndata:", []string{"|", "|\n"}, "", 0},
		{"a space is optional", "data:test\n\ndata: test\n\n", []string{"|test", "|test"}, "", 0},
		{"types", "event: add\ndata: 7\n\ndata: 8\n\n", []string{"add|7", "|8"}, "", 0},
		{"an id alone", "id: 9\n\n", nil, "9", 0},
		{"an id with NUL is none", "id: 3\ndata: a\n\nid: 4\x00\ndata: b\n\n", []string{"|a", "|b"}, "3", 0},
		{"an id before its event has ended", "id: 3\ndata: a\n\nid: 4\ndata: b\n", []string{"|a"}, "3", 0},
		{"carriage returns", "data: a\r\rdata: b\r\n\r\ndata: c\n\r\n", []string{"|a", "|b", "|c"}, "", 0},
		{"a byte order mark", "\xef\xbb\xbfdata: a\n\n\xef\xbb\xbfdata: b\n\n", []string{"|a"}, "", 0},
		{"retry", "retry: 2500\ndata: a\n\nretry: 1s\n\nretry: -1\n\nretry\n\n", []string{"|a"}, "", 2500 * time.Millisecond},
		{"a retry that no client would wait for", "retry: 99999999999999999999\n\n", nil, "", 0},
		{"fields that nobody knows", "datax: a\nfoo: b\ndata: c\n\n", []string{"|c"}, "", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			for at := range test.stream {
				var r EventReader
				got := eventsOf(&r, test.stream[:at], test.stream[at:])
				if !slices.Equal(got, test.want) || r.LastID != test.id || r.Retry != test.retry {
					t.Fatalf("cut at %d: %q, id %q, retry %v; want %q, %q, %v", at, got, r.LastID, r.Retry, test.want, test.id, test.retry)
				}
			}
			var r EventReader
			if got := eventsOf(&r, strings.Split(test.stream, "")...); !slices.Equal(got, test.want) {
				t.Errorf("byte by byte: %q, want %q", got, test.want)
			}
		})
	}
}

// TestEventIsBounded feeds a line, and an event, without an end.
func TestEventIsBounded(t *testing.T) {
	for _, piece := range []string{strings.Repeat("x", 1000), "data: " + strings.Repeat("x", 1000) + "\n"} {
		var r EventReader
		for range 3 * MaxEvent / 1000 {
			r.Feed([]byte(piece), func(Event) { t.Error("it is an event") })
		}
		if len(r.line)+len(r.data) > 2*MaxEvent {
			t.Errorf("it keeps %d bytes", len(r.line)+len(r.data))
		}
		cut := false
		r.Feed([]byte("\ndata: end\n\n"), func(e Event) { cut = cut || e.Cut })
		if !cut {
			t.Error("an event that lost its end does not say so")
		}
		if !r.idle() || r.line != nil || r.data != nil {
			t.Error("a reader between two events holds a buffer")
		}
	}
}

// idle reports whether the reader stands between two events.
func (r *EventReader) idle() bool { return len(r.line) == 0 && !r.hasData && r.kind == "" && !r.hasID }

// FuzzEvents: where a stream is cut makes no difference.
func FuzzEvents(f *testing.F) {
	f.Add("id: 1\nevent: a\r\ndata: b\rdata\n\n", 7, 12)
	f.Fuzz(func(t *testing.T, stream string, a, b int) {
		a = min(max(a, 0), len(stream))
		b = min(max(b, a), len(stream))
		var whole, cut EventReader
		want, got := eventsOf(&whole, stream), eventsOf(&cut, stream[:a], stream[a:b], stream[b:])
		if !slices.Equal(got, want) || whole.LastID != cut.LastID || whole.Retry != cut.Retry {
			t.Errorf("cut at %d and %d: %q, whole %q", a, b, got, want)
		}
	})
}
