package wire

import (
	"strings"
	"testing"
)

func TestEventCounter(t *testing.T) {
	for text, want := range map[string]int{
		"":                                      0,
		"data: a\n\n":                           1,
		"data: a\r\n\r\n":                       1,
		"data: a\r\rdata:b\r\r":                 2,
		"data\n\n":                              1,
		"data":                                  0,
		"data: a\n":                             0,
		": comment\n\n":                         0,
		"id: 1\n\n":                             0,
		"event: x\ndata: a\ndata: b\nid: 1\n\n": 1,
		"\n\n\ndata: a\n\n\n\n":                 1,
		"datax: a\n\ndat: b\n\ndata2\n\n":       0,
		" data: a\n\n":                          0,
		"data: data: a\n\ndata:\n\n":            2,
	} {
		for size := 1; size <= max(len(text), 1); size++ {
			var e EventCounter
			got := 0
			for rest := text; rest != ""; rest = rest[min(size, len(rest)):] {
				got += e.Count([]byte(rest[:min(size, len(rest))]))
			}
			if got != want {
				t.Errorf("%q in pieces of %d: %d events, want %d", text, size, got, want)
			}
		}
	}
}

// FuzzEventCounter: it counts what an EventReader reads, however it is cut.
func FuzzEventCounter(f *testing.F) {
	f.Add([]byte("data: a\r\n\r\ndata\n\nid: 1\n\n: x\ndata: b\n\n"), uint8(3))
	f.Fuzz(func(t *testing.T, b []byte, size uint8) {
		if strings.HasPrefix(string(b), "\xef\xbb\xbf") {
			return // a byte order mark hides the first field from the counter
		}
		var e EventCounter
		var r EventReader
		got, want := 0, 0
		r.Feed(b, func(Event) { want++ })
		for rest := b; len(rest) > 0; rest = rest[min(int(size)+1, len(rest)):] {
			got += e.Count(rest[:min(int(size)+1, len(rest))])
		}
		if got != want {
			t.Errorf("%q: %d, an EventReader has %d", b, got, want)
		}
	})
}
