package flood

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/HdrHistogram/hdrhistogram-go"

	"example.org/comet/server/wire"
)

// reader reads the answer of one connection, as both clients do.
type reader struct {
	obs *observer
	reading
	part   step // the last
	most   int  // bytes that it held at most
	copied int  // bytes that were copied into its row, or within it
}

// newReader returns a reader whose histograms are quick to make.
func newReader(cfg Config) *reader {
	small := func() *hdrhistogram.Histogram { return hdrhistogram.New(1, 10, 1) }
	return &reader{
		obs:  &observer{config: &cfg, script: new(script), begun: time.Unix(1_700_000_001, 0), held: newBudget(), latency: small(), firstMessage: small(), gap: small(), stream: small(), offline: small()},
		part: more,
	}
}

// feed takes some bytes, and reports false once the answer is over.
func (r *reader) feed(b []byte) bool {
	if r.part != more {
		return false
	}
	before, n := r.kept(), len(b)
	for {
		if r.part, b = r.obs.feed(&r.reading, 0, b, r.obs.begun); r.part != headed {
			break
		}
	}
	after := r.kept()
	switch {
	case len(before) > 0 && len(after) == len(before)+n && unsafe.SliceData(before) == unsafe.SliceData(after):
		r.copied += n // behind what is there
	case len(before) > 0:
		r.copied += len(before) + n + len(after)
	default:
		r.copied += len(after)
	}
	held := 0
	for _, row := range r.obs.spares.rows {
		held += cap(row.head) + cap(row.stamp)
	}
	r.most = max(r.most, held)
	return r.part == more
}

func (r *reader) kept() []byte {
	if r.spare == 0 {
		return nil
	}
	return r.obs.spares.rows[r.spare].head
}

// read returns what was counted of an answer that came in pieces, and then
// ended.
func read(cfg Config, pieces ...[]byte) Counts {
	r := newReader(cfg)
	for _, p := range pieces {
		if !r.feed(p) {
			break
		}
	}
	if r.part == more && r.parser.Complete() {
		r.obs.bodyEnded(&r.reading, r.obs.begun)
	}
	return r.obs.counts
}

// told returns the counts that framing must not change.
func told(c Counts) Counts {
	c.Chunks, c.Bytes = 0, 0
	return c
}

// bodies returns texts with stamps, each with what is in it.
func bodies() map[string]struct {
	text string
	want Counts
} {
	at := time.Unix(1_700_000_000, 0)
	of := func(run wire.Run, id wire.Sequence, n uint64) string { return messageOf(run, id, n, at) }
	event := func(n uint64) string { return fmt.Sprintf("id: %d\ndata: %s\n\n", n, of(7, 1, n)) }
	bare := func(n uint64) string { return strings.TrimSuffix(of(7, 1, n), "'<br/>") }
	type body = struct {
		text string
		want Counts
	}
	counts := func(delivered, duplicated, reordered uint64, missing int64, replayed uint64) Counts {
		return Counts{Stamped: delivered + duplicated, Delivered: delivered, Duplicated: duplicated, Reordered: reordered, Missing: missing, Replayed: replayed}
	}
	return map[string]body{
		"messages":            {of(7, 1, 1) + of(7, 1, 2) + of(7, 1, 4), counts(3, 0, 0, 1, 0)},
		"events":              {": hello\n\n" + event(1) + ": heartbeat\n\n" + event(2) + "retry: 10\n\n" + event(2), counts(2, 1, 0, 0, 0)},
		"nothing but stamps":  {bare(1) + bare(3) + bare(2), counts(3, 0, 1, 0, 0)},
		"a stamp at the end":  {"x" + of(7, 1, 1) + " s=00000007.2 f=1 t=17", counts(2, 0, 0, 0, 0)},
		"digits that go on":   {" s=00000007.1 f=1 t=1700000000000000000" + "00000 s=00000007.12 f=1 t=17" + "00 ", counts(2, 0, 0, 10, 0)},
		"several ids":         {of(7, 1, 1) + of(7, 2, 1) + of(7, 3, 1) + of(7, 1, 2) + of(7, 3, 2), counts(5, 0, 0, 0, 0)},
		"two generators":      {of(7, 1, 1) + of(8, 1, 1) + of(7, 1, 2) + of(8, 1, 3), counts(4, 0, 0, 1, 0)},
		"another run":         {of(9, 1, 1) + of(7, 1, 1) + of(9, 1, 2) + of(7, 1, 2), counts(2, 0, 0, 0, 2)},
		"escaped":             {strings.ReplaceAll(of(7, 1, 1)+of(7, 1, 2), "=", `\u003d`) + strings.ReplaceAll(of(7, 1, 3), "=", "&#x3D;"), counts(3, 0, 0, 0, 0)},
		"what is almost one":  {" s=0000000 s=00000007. s s=00000007.1 f= s=00000007.1 f=1 t=x s=00000007.1 f=1 t=5 s", counts(1, 0, 0, 0, 0)},
		"names for sequences": {" s=00000007.1 f=alice t=5. s=00000007.1 f=bob t=5. s=00000007.1 t=5. s=00000007.2 f=alice t=5.", counts(4, 0, 0, 0, 0)},
	}
}

// framings returns ways to send a body: a proxy in between may change one into
// another.
func framings(text string) map[string]string {
	random := rand.New(rand.NewPCG(1, 2))
	inChunks := func(size func() int, more string) string {
		b := strings.Builder{}
		b.WriteString(chunkedHead)
		for rest := text; rest != ""; {
			n := min(size(), len(rest))
			fmt.Fprintf(&b, "%x%s\r\n%s\r\n", n, more, rest[:n])
			rest = rest[n:]
		}
		return b.String() + "0\r\n\r\n"
	}
	return map[string]string{
		"one chunk":        inChunks(func() int { return len(text) }, ""),
		"a chunk a byte":   inChunks(func() int { return 1 }, ";x"),
		"chunks of 7":      inChunks(func() int { return 7 }, ""),
		"random chunks":    inChunks(func() int { return 1 + random.IntN(60) }, ";x=\"0\""),
		"without chunks":   rawHead + text,
		"of a length":      fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(text), text),
		"behind a hundred": "HTTP/1.1 100 Continue\r\n\r\n" + rawHead + text,
	}
}

// TestFramingCarriesNoMeaning: a body is read alike in whatever chunks it comes,
// and these in whatever pieces.
func TestFramingCarriesNoMeaning(t *testing.T) {
	cfg := Config{Run: []wire.Run{7, 8}}
	for name, body := range bodies() {
		for framing, text := range framings(body.text) {
			t.Run(name+"/"+framing, func(t *testing.T) {
				t.Parallel()
				b := []byte(text)
				check := func(how string, pieces ...[]byte) {
					t.Helper()
					got := told(read(cfg, pieces...))
					if got.BeforeDue = 0; got != body.want {
						t.Fatalf("%s: %+v\nwant %+v\n%s", how, got, body.want, body.text)
					}
				}
				check("whole", b)
				check("byte by byte", slices.Collect(slices.Chunk(b, 1))...)
				for at := range len(b) {
					check(fmt.Sprintf("cut at %d", at), b[:at], b[at:])
					check(fmt.Sprintf("one byte at %d", at), b[:at], b[at:at+1], b[at+1:])
				}
				random := rand.New(rand.NewPCG(uint64(len(b)), 3))
				for range 200 {
					var pieces [][]byte
					for rest := b; len(rest) > 0; {
						n := min(1+random.IntN(1+random.IntN(100)), len(rest))
						pieces, rest = append(pieces, rest[:n]), rest[n:]
					}
					check("in random pieces", pieces...)
				}
			})
		}
	}
}

// TestConnectionsDoNotMix: pieces of several answers come in turn.
func TestConnectionsDoNotMix(t *testing.T) {
	o := newObserver(&Flood{script: new(script)})
	var (
		readings [20]reading
		rests    [20][]byte
		random   = rand.New(rand.NewPCG(5, 6))
	)
	for i := range rests {
		framing := framings(messages(asIs, 1, 2, 3, 4))
		rests[i] = []byte(framing[slices.Sorted(maps.Keys(framing))[i%len(framing)]])
	}
	for left := len(rests); left > 0; {
		i := random.IntN(len(rests))
		if len(rests[i]) == 0 {
			continue
		}
		n := min(1+random.IntN(90), len(rests[i]))
		b := rests[i][:n]
		for part := headed; part == headed; {
			part, b = o.feed(&readings[i], i, b, o.begun)
		}
		if rests[i] = rests[i][n:]; len(rests[i]) == 0 {
			left--
		}
	}
	if c := o.counts; c.Delivered != 80 || c.Stamped != 80 || c.Missing != 0 {
		t.Errorf("%+v, want 4 messages on each of 20 connections", c)
	}
	if held := len(o.spares.rows) - 1 - len(o.spares.free); held != 0 {
		t.Errorf("%d rows are held though every answer is over", held)
	}
}

// TestChunksAreThoseOfTheLastHop, however they are cut on the way.
func TestChunksAreThoseOfTheLastHop(t *testing.T) {
	b := []byte(chunkedHead + chunk("one") + chunk(message(7, 1, time.Now())) + chunk("two") + "0\r\n\r\n")
	for at := range len(b) {
		if c := read(Config{}, b[:at], b[at:]); c.Chunks != 3 {
			t.Errorf("cut at %d: %d chunks, want 3", at, c.Chunks)
		}
	}
}

// TestReplayed: stamps of other runs are in no count.
func TestReplayed(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	text := chunkedHead
	for run := range wire.Run(4) {
		text += chunk(message(run, 1, at)) + chunk(message(run, 3, at)) + chunk(message(run, 3, at))
	}
	for _, c := range []struct {
		run  []wire.Run
		want Counts
	}{
		{nil, Counts{Stamped: 12, Delivered: 8, Duplicated: 4, Missing: 4}},
		{[]wire.Run{2}, Counts{Stamped: 3, Delivered: 2, Duplicated: 1, Missing: 1, Replayed: 9}},
		{[]wire.Run{0, 3}, Counts{Stamped: 6, Delivered: 4, Duplicated: 2, Missing: 2, Replayed: 6}},
		{[]wire.Run{9}, Counts{Replayed: 12}},
	} {
		r := newReader(Config{Run: c.run})
		r.feed([]byte(text))
		if got := told(r.obs.counts); got != c.want {
			t.Errorf("of runs %v: %+v\nwant %+v", c.run, got, c.want)
		}
		if n := r.obs.latency.TotalCount(); n != int64(c.want.Delivered) {
			t.Errorf("of runs %v: %d latencies of %d messages", c.run, n, c.want.Delivered)
		}
	}
}

// TestClocksThatDiffer: what came before it was due is in no latency, whichever
// messages that happens to.
func TestClocksThatDiffer(t *testing.T) {
	const ms = time.Millisecond
	constant := func(by time.Duration) func(int) time.Duration { return func(int) time.Duration { return by } }
	for name, c := range map[string]struct {
		late      func(i int) time.Duration // of message i of 100: negative is before it was due
		before    uint64
		maxBefore float64
	}{
		"none":                {constant(5 * ms), 0, 0},
		"the same moment":     {constant(0), 0, 0},
		"by a nanosecond":     {constant(-1), 100, 1e-6},
		"constant":            {constant(-250 * ms), 100, 250},
		"an hour":             {constant(-time.Hour), 100, 3_600_000},
		"drifting":            {func(i int) time.Duration { return time.Duration(50-i) * ms }, 49, 49},
		"a step back":         {func(i int) time.Duration { return time.Duration(3-1000*(i/60)) * ms }, 40, 997},
		"one generator of 10": {func(i int) time.Duration { return time.Duration(1-20*(i%10/9)) * ms }, 10, 19},
	} {
		t.Run(name, func(t *testing.T) {
			o := newObserver(&Flood{script: new(script)})
			var r reading
			for i := range 100 {
				s := wire.Stamp{N: uint64(i + 1), Due: o.begun.Add(-c.late(i)).UnixNano()}
				o.stamped(&r, s, o.begun)
				o.stamped(&r, s, o.begun) // a duplicate says nothing of clocks
			}
			got := o.counts
			if got.BeforeDue != c.before || got.BeforeDueMS < c.maxBefore*0.999 || got.BeforeDueMS > c.maxBefore*1.001 {
				t.Errorf("%d before they were due, by up to %v ms, want %d and %v", got.BeforeDue, got.BeforeDueMS, c.before, c.maxBefore)
			}
			if got.Delivered != 100 || o.latency.TotalCount() != int64(100-c.before) || o.recent.Count() != uint64(o.latency.TotalCount()) {
				t.Errorf("%d latencies of %d messages, want %d", o.latency.TotalCount(), got.Delivered, 100-c.before)
			}
		})
	}
}

// TestAPeerCannotMakeAFloodGrow: whatever one sends without end, and in whatever
// pieces, its connection holds and copies no more than what one needs who ends.
func TestAPeerCannotMakeAFloodGrow(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	for name, c := range map[string]struct {
		first, endless string
		survives       bool // it is a stream like any other
	}{
		"empty lines before a head":   {"", "\r\n", false},
		"interim answers":             {"", "HTTP/1.1 102 Processing\r\n\r\n", false},
		"interim answers with fields": {"", "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\nLink: <b>\r\n\r\n", false},
		"a status line":               {"HTTP/1.1 200 ", "OK", false},
		"a head line":                 {ok + "X: ", "y", false},
		"head lines":                  {ok, "X: y\r\n", false},
		"a folded head line":          {ok + "X: y\r\n", " y\r\n", false},
		"an interim head":             {"HTTP/1.1 103 x\r\n", "X: y\r\n", false},
		"a size of zeros":             {chunkedHead, "0", false},
		"an extension":                {chunkedHead + "5;", "x", false},
		"a quoted extension":          {chunkedHead + "5;x=\"", "\\\"", false},
		"extensions":                  {chunkedHead, "1" + strings.Repeat(";x", 1000) + "\r\ny\r\n", true},
		"a trailer line":              {chunkedHead + "0\r\nX: ", "y", false},
		"trailers":                    {chunkedHead + "0\r\n", "X: y\r\n", false},
		"a chunk":                     {chunkedHead + "7fffffff\r\n", "x", true},
		"a chunk of stamps":           {chunkedHead + "7fffffff\r\n", " s=00000007.1 f=1 t=17", true},
		"a chunk of spaces":           {chunkedHead + "7fffffff\r\n", " ", true},
		"digits in a number":          {rawHead + " s=00000007.", "0", true},
		"digits in a time":            {rawHead + " s=00000007.1 f=1 t=", "0", true},
		"a name of a sequence":        {rawHead + " s=00000007.1 f=", "a", true},
		"beginnings of stamps":        {rawHead, " s=00000007.1 f=", true},
		"chunks of a byte":            {chunkedHead, "1\r\ns\r\n", true},
	} {
		for _, size := range []int{1, 1448, 64 << 10} {
			t.Run(fmt.Sprintf("%s/%d bytes at a time", name, size), func(t *testing.T) {
				t.Parallel()
				r := newReader(Config{})
				total := 3 * wire.MaxKept
				if size > 1 {
					total = 2 << 20
				}
				text := []byte(c.first + strings.Repeat(c.endless, total/len(c.endless)))
				sent := 0
				for piece := range slices.Chunk(text, size) {
					if sent += len(piece); !r.feed(piece) {
						break
					}
				}
				if (r.part == more) != c.survives {
					t.Errorf("after %d bytes it is at part %d", sent, r.part)
				}
				if !c.survives && sent > 2*wire.MaxKept+size {
					t.Errorf("it was believed for %d bytes", sent)
				}
				// A slice that grows has room for a quarter or for as much again.
				if bound := 2*(wire.MaxKept+size) + 1024; r.most > bound {
					t.Errorf("%d bytes were held, want %d at most", r.most, bound)
				}
				if r.copied > 10*sent { // a slice that grows is copied some times
					t.Errorf("%d bytes were copied of %d", r.copied, sent)
				}
				if c.survives {
					if bound := keptCapacity + 2*wire.MaxStamp; r.heldAtRest() > bound {
						t.Errorf("it goes on holding %d bytes, want %d at most", r.heldAtRest(), bound)
					}
				}
			})
		}
	}
}

func (r *reader) heldAtRest() (held int) {
	for _, row := range r.obs.spares.rows {
		held += cap(row.head) + cap(row.stamp)
	}
	return held
}

// FuzzFeed: however a stream is cut, the same stamps are found, and the account
// adds up.
func FuzzFeed(f *testing.F) {
	for _, body := range bodies() {
		for _, text := range framings(body.text) {
			f.Add([]byte(text), []byte{3, 1, 200, 7})
		}
	}
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n"+messages(asIs, 1, 2, 4)), []byte{60, 2, 1})
	f.Add([]byte(chunkedHead+"800001\r\n"+messages(asIs, 1, 2, 4)), []byte{90, 2, 1})
	f.Fuzz(func(t *testing.T, stream, cuts []byte) {
		cfg := Config{Run: []wire.Run{7, 8}}
		whole := read(cfg, stream)
		var pieces [][]byte
		for rest := stream; len(rest) > 0; {
			n := len(rest)
			if len(cuts) > 0 {
				n, cuts = min(int(cuts[0])+1, n), cuts[1:]
			}
			pieces, rest = append(pieces, rest[:n]), rest[n:]
		}
		inPieces := read(cfg, pieces...)
		if told(whole) != told(inPieces) {
			t.Fatalf("%q\nwhole     %+v\nin pieces %+v", stream, whole, inPieces)
		}
		if c := whole; c.Missing < 0 || c.UnknownTracks == 0 && c.Stamped != c.Delivered+c.Duplicated || c.BeforeDue > c.Delivered {
			t.Fatalf("%q: %+v", stream, c)
		}
	})
}

func BenchmarkFeed(b *testing.B) {
	r := newReader(Config{})
	r.feed([]byte(chunkedHead))
	var chunks [][]byte
	for n := range 1000 {
		chunks = append(chunks, []byte(chunk(message(7, uint64(n+1), r.obs.begun.Add(-time.Millisecond)))))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%1000 == 0 {
			r.track = track{}
		}
		r.obs.feed(&r.reading, 0, chunks[i%1000], r.obs.begun)
	}
	if c := r.obs.counts; c.Delivered != c.Chunks {
		b.Errorf("%+v", c)
	}
}
