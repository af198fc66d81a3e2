package msggen

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.org/comet/server/wire"
)

// throughPipes has s connect by pipes whose other ends serve answers.
func throughPipes(s *PublishSender, serve func(conn net.Conn, requests *bufio.Reader)) {
	s.connect = func(context.Context, string, string) (net.Conn, error) {
		here, there := net.Pipe()
		go func() {
			defer there.Close()
			serve(there, bufio.NewReader(there))
		}()
		return here, nil
	}
}

// readBody reads a request, and returns its body, or false at the end.
func readBody(requests *bufio.Reader) (body []byte, ok bool) {
	request, err := http.ReadRequest(requests)
	if err != nil {
		return nil, false
	}
	body, err = io.ReadAll(request.Body)
	return body, err == nil
}

// TestStampsWithoutAPaceAreThoseOfTheSocket: with a server that answers in 1 ms
// and 16 messages waiting for one connection, each stamp is the moment at which
// its own request was written.
func TestStampsWithoutAPaceAreThoseOfTheSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var service []time.Duration
		s := newPublish(t, PublishConfig{URL: "http://h/{id}?m={message}", Body: "{message}", Connections: 1})
		throughPipes(s, func(conn net.Conn, requests *bufio.Reader) {
			for {
				body, ok := readBody(requests)
				if !ok {
					return
				}
				stamp, _, _ := wire.FindStamp(body)
				service = append(service, time.Duration(time.Now().UnixNano()-stamp.Due))
				time.Sleep(time.Millisecond)
				_, _ = io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n")
			}
		})
		if err := s.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 16 {
			message := wire.AppendStamped(nil, 1, wire.Stamp{Run: 1, N: 1, Due: time.Now().UnixNano()})
			if err := s.sendNow(1, append(message, " ...."...)); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(s.Flush(t.Context()), s.Close(t.Context())); err != nil {
			t.Fatal(err)
		}
		for i, d := range service {
			if d != 0 {
				t.Errorf("message %d was stamped %v before it was written", i, d)
			}
		}
		if len(service) != 16 {
			t.Errorf("the server has %d messages, want 16", len(service))
		}
	})
}

// TestStampsOfLinesAreThoseOfTheSocket: lines are stamped when they are written,
// piece by piece, and a stamp that lies across two of them stays whole.
func TestStampsOfLinesAreThoseOfTheSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		out := &outlet{Conn: here}
		s, err := NewHTTPSender(HTTPConfig{URL: "http://h/send", AnswerTimeout: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		s.conn = newHTTPConn(out, out)
		defer s.hangUp()
		message := wire.AppendStamped(nil, 1, wire.Stamp{Run: 1, N: 1, Due: time.Now().UnixNano()})
		from, _ := momentIn(append([]byte("1 "), message...))
		for _, size := range []int{maxPiece - from - 5 - len("1 \n"), maxPiece / 2, maxPiece / 2} {
			if err := s.sendNow(1, fill(slices.Clone(message), size)); err != nil {
				t.Fatal(err)
			}
		}
		begun := time.Now()
		go func() {
			stamps := stampsRead(t, &slowly{there})
			if len(stamps) != 3 || stamps[0] != begun.UnixNano() || stamps[1] != stamps[0] || stamps[2] <= stamps[0] {
				t.Errorf("the lines are stamped %v, from %v on", stamps, begun.UnixNano())
			}
			_, _ = io.WriteString(there, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{\"sent\":3}")
		}()
		if err := s.Settle(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// stampsRead reads a request of lines, and returns the moments in their stamps.
func stampsRead(t *testing.T, conn io.Reader) (stamps []int64) {
	t.Helper()
	request, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		t.Error(err)
		return nil
	}
	for lines := bufio.NewReader(request.Body); ; {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return stamps
		}
		stamp, _, found := wire.FindStamp(line)
		if !found {
			t.Errorf("%.80q… has no stamp", line)
		}
		stamps = append(stamps, stamp.Due)
	}
}

// slowly takes a second for each read.
type slowly struct{ io.Reader }

func (s *slowly) Read(p []byte) (int, error) {
	time.Sleep(time.Second)
	return s.Reader.Read(p)
}

// TestStampsOfAnySender: one that does not know when it writes gets messages
// that are stamped just then.
func TestStampsOfAnySender(t *testing.T) {
	sender := &recorder{}
	before := time.Now()
	mustRun(t.Context(), t, Config{Sender: sender, Max: true, Count: 1000, MaxID: 2})
	last := before.UnixNano()
	for _, m := range sender.messages {
		due := stampOf(t, m.message).due
		if due < last {
			t.Fatalf("a stamp says %d, before %d", due, last)
		}
		last = due
	}
}

// TestWhatWaitsIsLate: of messages whose server answers nothing, those that were
// never written are as late as they waited.
func TestWhatWaitsIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newPublish(t, PublishConfig{URL: "http://h/{id}", Connections: 1, AnswerTimeout: time.Hour})
		throughPipes(s, func(_ net.Conn, requests *bufio.Reader) {
			for {
				if _, ok := readBody(requests); !ok {
					return
				}
			}
		})
		var mu sync.Mutex
		late := map[time.Duration]int{}
		s.onLate(func(d time.Duration) { mu.Lock(); defer mu.Unlock(); late[d]++ })
		if err := s.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 6 {
			if err := errors.Join(s.sendDue(1, []byte("m"), time.Now()), s.Flush(t.Context())); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := s.Close(ctx); err == nil || !strings.Contains(err.Error(), "5 more had to wait") {
			t.Errorf("Close: %v, want that 5 were never sent", err)
		}
		want := Receipt{Unknown: 1, Refused: 5, ReachUnknown: true}
		if got := s.Receipt(); got != want {
			t.Errorf("the receipt is %+v, want %+v", got, want)
		}
		for _, d := range []time.Duration{0, 15 * time.Second, 14 * time.Second, 13 * time.Second, 12 * time.Second, 11 * time.Second} {
			if late[d] != 1 {
				t.Errorf("late by %v: %d messages, want 1 of %v", d, late[d], late)
			}
		}
	})
}

// TestLatenessIsOverAllThatWereDue: a generator whose server stalls does not look
// punctual by the few messages that got out.
func TestLatenessIsOverAllThatWereDue(t *testing.T) {
	for name, sender := range map[string]func(address string) Sender{
		"requests": func(address string) Sender {
			return newPublish(t, PublishConfig{URL: "http://" + address + "/{id}", Connections: 4, AnswerTimeout: 300 * time.Millisecond})
		},
		"a sender that is blocked": func(string) Sender { return &blocker{} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t, func(c *call) { _, _ = io.Copy(io.Discard, c.reader) })
			generator, err := New(Config{Sender: sender(p.Addr().String()), Rate: 600, MaxID: 100, Duration: 10 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			result, _ := generator.Run(ctx)
			checkSum(t, result.Stats)
			if result.Late == nil || uint64(result.Late.Count) != result.Asked || result.Asked < 100 || result.LateCount < result.Asked-20 {
				t.Errorf("of %d messages %d are late, with %+v: %+v", result.Asked, result.LateCount, result.Late, result.Receipt)
			}
			if err := result.Err(); err == nil {
				t.Error("the result has no error")
			}
		})
	}
}

// blocker is a sender whose Flush never returns by itself.
type blocker struct{ recorder }

func (b *blocker) Flush(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func (b *blocker) Close(context.Context) error {
	b.receipt.Unknown, b.receipt.Unanswered = b.receipt.Unanswered, 0
	return nil
}

// TestWhoIsLate: what a sender holds up is late, and the generator did not wake late
// for it.
func TestWhoIsLate(t *testing.T) {
	sender := &recorder{}
	sender.fail = func(verb string) error {
		if verb == "flush" {
			time.Sleep(50 * time.Millisecond)
		}
		return nil
	}
	result := mustRun(t.Context(), t, Config{Sender: sender, Rate: 1000, Count: 300, MaxID: 2})
	if late, woke := result.Late, result.Woke; woke == nil || woke.Count != 300 || late.P50 < 20 || woke.P50 > late.P50/2 {
		t.Errorf("messages are late by %+v, of which the generator's own is %+v", late, woke)
	}

	m := newMeter()
	m.recordWoke([]time.Duration{time.Second, 2 * time.Second, 4 * time.Second}, 1500*time.Millisecond, 3*time.Second)
	if woke := m.stats().Woke; woke.Count != 3 || int(woke.Max) != 1500 || int(woke.P50) != 1000 {
		t.Errorf("woke late by %+v, want 1.5 s since it was ready, 1 s since it was due, and 0", woke)
	}
}

func TestOverdue(t *testing.T) {
	var o overdue
	const n = 3*maxGroups + 7
	for i := range n {
		o.add([]time.Duration{time.Duration(i)})
	}
	total, last := int64(0), time.Duration(-1)
	for _, g := range o.groups {
		if g.due <= last || g.n < 1 {
			t.Fatalf("a group of %d is due at %v, after %v", g.n, g.due, last)
		}
		total, last = total+g.n, g.due
	}
	if total != n || last != n-1 || len(o.groups) > maxGroups {
		t.Errorf("%d groups hold %d messages until %v, want %d in at most %d", len(o.groups), total, last, n, maxGroups)
	}
	m := newMeter()
	m.recordNever([]group{{time.Second, 3}, {2 * time.Second, 1}}, 2*time.Second)
	if late := m.stats(); late.LateCount != 4 || late.Late.Count != 4 || late.Late.P50 < 990 {
		t.Errorf("the lateness is %+v, %d of them late", late.Late, late.LateCount)
	}
}

// TestTheAccountIsChecked: a sender whose receipt does not cover what it was
// given is named.
func TestTheAccountIsChecked(t *testing.T) {
	sender := &recorder{}
	sender.fail = func(verb string) error {
		if verb == "flush" {
			sender.receipt.Sent += 5
		}
		return nil
	}
	generator, err := New(Config{Sender: sender, Rate: 1000, Count: 10, MaxID: 2})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := generator.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "the account does not add up: 10 messages were due") {
		t.Errorf("Run: %v, want that the account does not add up", err)
	}
}

// TestCountsOfAPeerAreHeldAgainstWhatItWasGiven.
func TestCountsOfAPeerAreHeldAgainstWhatItWasGiven(t *testing.T) {
	for text, says := range map[string]string{
		`{"sent":1000000000,"reached":1,"unaddressed":0}`:           "accepted 1000000000 messages",
		`{"sent":18446744073709551615}`:                             "accepted 18446744073709551615 messages",
		`{"sent":2,"reached":2,"unaddressed":3}`:                    "3 of them to nobody",
		`{"sent":2,"reached":18446744073709551615,"unaddressed":0}`: "reached 18446744073709551615 connections",
		`{"sent":0,"reached":1,"unaddressed":0}`:                    "accepted 0 messages, and reached 1",
	} {
		server := newServer(t, func(s *server) {
			s.refuse = func(w http.ResponseWriter, r *http.Request) bool {
				if r.ContentLength == 0 { // opening
					return false
				}
				_, _ = io.Copy(io.Discard, r.Body)
				_, _ = io.WriteString(w, text)
				return true
			}
		})
		s := openSender(t, HTTPConfig{URL: server.URL})
		send(t, s, 1, "a", "b", "c")
		err := s.Settle(t.Context())
		if err == nil || errors.Is(err, ErrAway) || !strings.Contains(err.Error(), "claims what cannot be") || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: Settle: %v, want a final error that says %q", text, err, says)
		}
		if got, want := s.Receipt(), (Receipt{Unknown: 3}); got != want {
			t.Errorf("%s: the receipt is %+v, want %+v", text, got, want)
		}
	}
}

// TestCountsOfARefusalCount: a server that stops at a line says how many came
// before it.
func TestCountsOfARefusalCount(t *testing.T) {
	server := newServer(t, func(s *server) {
		s.refuse = func(w http.ResponseWriter, r *http.Request) bool {
			if r.ContentLength == 0 { // opening
				return false
			}
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"sent":2,"reached":1,"unaddressed":1,"error":"line 3: no id"}`)
			return true
		}
	})
	s := openSender(t, HTTPConfig{URL: server.URL})
	send(t, s, 1, "a", "b", "c")
	if err := s.Settle(t.Context()); err == nil || !strings.Contains(err.Error(), "400 Bad Request (line 3: no id)") {
		t.Errorf("Settle: %v, want the reason", err)
	}
	if got, want := s.Receipt(), (Receipt{Sent: 2, Reached: 1, Unaddressed: 1, Unknown: 1}); got != want {
		t.Errorf("the receipt is %+v, want %+v", got, want)
	}
}

// TestAServerThatTakesNoLinesIsLeft after the time that an answer may take.
func TestAServerThatTakesNoLinesIsLeft(t *testing.T) {
	stuck := make(chan struct{})
	server := newServer(t, func(s *server) {
		s.refuse = func(_ http.ResponseWriter, r *http.Request) bool {
			if r.ContentLength == 0 { // opening
				return false
			}
			<-stuck
			return true
		}
	})
	defer close(stuck)
	s := openSender(t, HTTPConfig{URL: server.URL})
	s.config.AnswerTimeout = 200 * time.Millisecond
	message, given := []byte(strings.Repeat("x", 1<<20)), uint64(0)
	var err error
	for err == nil && given < 1000 {
		err = s.Send(1, message)
		given++
		err = errors.Join(err, s.Flush(t.Context()))
	}
	if !errors.Is(err, ErrAway) || !strings.Contains(err.Error(), "took no messages for 200ms") {
		t.Errorf("Flush: %v, want an ErrAway", err)
	}
	if r := s.Receipt(); r.Unknown+r.Refused != given || r.Unanswered != 0 {
		t.Errorf("of %s messages the receipt is %+v", strconv.FormatUint(given, 10), r)
	}
}
