package msggen

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"example.org/comet/server/wire"
)

func Example() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		lines, _ := io.ReadAll(r.Body) // a comet server would deliver each as it arrives
		n := strings.Count(string(lines), "\n")
		fmt.Fprintf(w, `{"sent":%d,"reached":%d,"unaddressed":0}`, n, n)
	}))
	defer server.Close()

	generator, err := New(Config{
		To:       server.URL + "/send",
		Senders:  10, // the article's: 10 processes,
		Count:    20, // 20 messages each,
		Interval: 2 * time.Millisecond,
		MaxID:    5, // to ids 1 to 5
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := generator.Run(context.Background())
	fmt.Println(result.Asked, result.Sent, result.Reached, err)
	// Output: 200 200 200 <nil>
}

func mustRun(ctx context.Context, t *testing.T, config Config) Result {
	t.Helper()
	generator, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	result, err := generator.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	checkSum(t, result.Stats)
	return result
}

func checkSum(t *testing.T, s Stats) {
	t.Helper()
	if s.Asked != s.Sent+s.Refused+s.Unknown+s.Unanswered {
		t.Errorf("%d messages were asked for, which is not the sum of %+v", s.Asked, s.Receipt)
	}
}

func TestRunOverHTTP(t *testing.T) {
	for _, max := range []bool{false, true} {
		t.Run(fmt.Sprintf("max=%v", max), func(t *testing.T) {
			server := newServer(t, func(s *server) { s.connected = 50 })
			config := Config{To: server.URL, Senders: 7, Count: 3000, MaxID: 100, Max: max}
			if !max {
				config.Interval = 100 * time.Microsecond
			}
			result := mustRun(t.Context(), t, config)
			messages := server.got()
			checkOrder(t, messages)
			var connected uint64
			for _, m := range messages {
				if m.id < 1 || m.id > 100 {
					t.Fatalf("a message went to id %d", m.id)
				}
				if m.id <= 50 {
					connected++
				}
				if s := stampOf(t, m.message); s.run != result.Run || s.filler != "" {
					t.Fatalf("a message of run %s reads %q", result.Run, m.message)
				}
			}
			want := Receipt{Sent: 21_000, Reached: connected, Unaddressed: 21_000 - connected}
			if uint64(len(messages)) != want.Sent || result.Receipt != want {
				t.Errorf("the server got %d messages, the result says %+v, want %+v", len(messages), result.Receipt, want)
			}
			if (result.Late == nil) != max {
				t.Errorf("lateness is %v with max=%v", result.Late, max)
			}
		})
	}
}

// TestEachMessageHasItsMoment is the contract of constant arrivals: message k
// of sender i of S is due at start + (k + i/S) * Interval.
func TestEachMessageHasItsMoment(t *testing.T) {
	for _, alone := range []bool{false, true} {
		sender := &recorder{}
		const senders, count, interval = 4, 25, 2 * time.Millisecond
		mustRun(t.Context(), t, Config{Sender: sender, Senders: senders, Count: count, Interval: interval, MaxID: 3, Alone: alone})
		start := stampOf(t, sender.messages[0].message).due
		for i, m := range sender.messages {
			s := stampOf(t, m.message)
			k, sender := i/senders, i%senders
			due := start + int64(k)*int64(interval) + int64(sender)*int64(interval)/senders
			if s.due != due || s.num != uint64(k+1) {
				t.Errorf("message %d of sender %d is number %d, due after %v, want number %d after %v",
					k, sender, s.num, time.Duration(s.due-start), k+1, time.Duration(due-start))
			}
		}
		checkOrder(t, sender.messages)
		if len(sender.messages) != senders*count || !sender.closed {
			t.Errorf("%d messages, closed %v, want %d and true", len(sender.messages), sender.closed, senders*count)
		}
	}
}

func TestNothingIsSentBeforeItIsDue(t *testing.T) {
	for _, alone := range []bool{false, true} {
		sender := &recorder{}
		sender.fail = func(verb string) error {
			if len(sender.messages) == 0 || verb != "flush" {
				return nil
			}
			last := sender.messages[len(sender.messages)-1]
			if early := stampOf(t, last.message).due - time.Now().UnixNano(); early > int64(time.Millisecond) {
				// A millisecond for the wall clock, which may be slewed meanwhile.
				t.Errorf("a message was sent %v before it was due", time.Duration(early))
			}
			return nil
		}
		mustRun(t.Context(), t, Config{Sender: sender, Rate: 2000, Count: 100, MaxID: 3, Alone: alone})
	}
}

func TestDurationEndsTheRun(t *testing.T) {
	sender := &recorder{}
	result := mustRun(t.Context(), t, Config{Sender: sender, Rate: 1000, Duration: 100 * time.Millisecond, MaxID: 3})
	if len(sender.messages) != 100 || result.Asked != 100 {
		t.Errorf("1000/s for 100 ms sent %d messages, the result says %d, want 100", len(sender.messages), result.Asked)
	}
	sender = &recorder{}
	result = mustRun(t.Context(), t, Config{Sender: sender, Max: true, Duration: 100 * time.Millisecond, MaxID: 3})
	if len(sender.messages) == 0 || result.Sent != uint64(len(sender.messages)) {
		t.Errorf("at max, for 100 ms, %d messages were sent, the result says %+v", len(sender.messages), result)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	for _, config := range []Config{{Interval: time.Millisecond}, {Interval: time.Hour}, {Max: true}} {
		server := newServer(t, nil)
		config.To, config.MaxID = server.URL, 3
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			defer cancel()
			server.waitFor(t, 1)
		}()
		result := mustRun(ctx, t, config)
		cancel()
		if got := server.got(); uint64(len(got)) != result.Sent || result.Unanswered+result.Unknown != 0 {
			t.Errorf("%+v: the server got %d messages, the result says %+v", config, len(got), result.Receipt)
		}
		server.stop()
	}
}

func TestServerThatIsNotThere(t *testing.T) {
	server := newServer(t, nil)
	server.stop()
	generator, err := New(Config{To: server.URL, MaxID: 3})
	if err != nil {
		t.Fatal(err)
	}
	result, err := generator.Run(t.Context())
	if !errors.Is(err, ErrAway) || result.Asked != 0 {
		t.Errorf("Run: %v with %+v, want an ErrAway and nothing counted", err, result)
	}
}

// TestOutage has the server go for 100 messages.
func TestOutage(t *testing.T) {
	config := Config{Senders: 3, Count: 1000, Interval: time.Millisecond, MaxID: 5, Seed: 42}
	whole := &recorder{}
	config.Sender = whole
	mustRun(t.Context(), t, config)

	broken := &recorder{}
	gone, lost := false, false
	var generator *Generator
	broken.fail = func(verb string) error {
		switch verb {
		case "flush":
			if !lost && len(broken.messages) > 50 {
				gone, lost = true, true
				return fmt.Errorf("flush: %w", ErrAway)
			}
		case "open":
			// Away until enough was refused for the test to mean something.
			if gone && generator.Stats().Refused < 100 {
				return fmt.Errorf("open: %w", ErrAway)
			}
			gone = false
		}
		return nil
	}
	config.Sender = broken
	generator, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	result, err := generator.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	checkSum(t, result.Stats)
	if result.Asked != 3000 || result.Unknown == 0 || result.Refused < 100 || result.Sent == 0 || result.Away {
		t.Errorf("the result is %+v, want 3000 asked for, some of them sent, unknown and over 100 refused", result)
	}
	if given := uint64(len(broken.messages)); given != result.Sent+result.Unknown {
		t.Errorf("%d messages were given away, the result says %+v", given, result.Receipt)
	}
	// What was not sent must not look like a loss, and must not shift the rest.
	checkOrder(t, broken.messages)
	ids := map[[2]uint64]int64{}
	for i, m := range whole.messages {
		ids[[2]uint64{uint64(i % 3), stampOf(t, m.message).num}] = m.id
	}
	start := stampOf(t, broken.messages[0].message).due
	for _, m := range broken.messages {
		s := stampOf(t, m.message)
		turn := (s.due - start + 1) / int64(time.Millisecond/3) // which of all messages it is
		if want := ids[[2]uint64{uint64(turn % 3), s.num}]; m.id != want {
			t.Fatalf("message %d of sender %d went to %d, without the outage to %d", s.num, turn%3, m.id, want)
		}
	}
}

func TestRestartOverHTTP(t *testing.T) {
	server := newServer(t, nil)
	generator, err := New(Config{To: server.URL, Rate: 2000, MaxID: 20})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	type outcome struct {
		Result
		error
	}
	done := make(chan outcome, 1)
	go func() {
		result, err := generator.Run(ctx)
		done <- outcome{result, err}
	}()
	waitStats := func(what string, is func(Stats) bool) {
		t.Helper()
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for !is(generator.Stats()) {
			select {
			case <-tick.C:
			case <-ctx.Done():
				t.Fatalf("%s: still %+v", what, generator.Stats())
			}
		}
	}
	server.waitFor(t, 100)
	server.stop()
	waitStats("after the server died", func(s Stats) bool { return s.Away && s.Refused > 10 })
	before := len(server.got())
	server.listenAgain(t)
	waitStats("after it came back", func(s Stats) bool { return !s.Away })
	server.waitFor(t, before+100)
	cancel()
	end := <-done
	if end.error != nil {
		t.Fatal(end.error)
	}
	checkSum(t, end.Stats)
	got := uint64(len(server.got()))
	if got < end.Sent || got > end.Sent+end.Unknown || end.Unknown == 0 || end.Refused == 0 {
		t.Errorf("the servers got %d messages, the result says %+v", got, end.Receipt)
	}
}

func TestServerThatIsAwayAtTheEnd(t *testing.T) {
	server := newServer(t, nil)
	generator, err := New(Config{To: server.URL, Rate: 1000, MaxID: 20})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	go func() {
		defer cancel()
		server.waitFor(t, 10)
		server.stop()
		for generator.Stats().Refused == 0 && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
	}()
	result, err := generator.Run(ctx)
	if !errors.Is(err, ErrAway) || !strings.Contains(err.Error(), "still not be reached at the end") {
		t.Errorf("Run: %v, want an ErrAway", err)
	}
	checkSum(t, result.Stats)
	if result.Sent+result.Unknown < 10 || result.Refused == 0 || !result.Away {
		t.Errorf("the result is %+v", result)
	}
}

func TestFinalAnswerEndsTheRun(t *testing.T) {
	var requests atomic.Int64
	server := newServer(t, func(s *server) {
		s.refuse = func(w http.ResponseWriter, _ *http.Request) bool {
			if requests.Add(1) == 1 { // opening
				return false
			}
			w.WriteHeader(http.StatusUnauthorized)
			return true
		}
	})
	generator, err := New(Config{To: server.URL, Max: true, MaxID: 20})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := generator.Run(t.Context()); err == nil || errors.Is(err, ErrAway) || !strings.Contains(err.Error(), "token") {
		t.Errorf("Run: %v, want that it ends with what to do about the token", err)
	}
}

// TestWindow holds what is in flight under the window, with a receiver that
// takes one message in five only after the window is full.
func TestWindow(t *testing.T) {
	const size = 100
	var delivered atomic.Uint64
	sender := &recorder{unconnected: func(id int64) bool { return id == 2 }}
	full := 0
	sender.fail = func(string) error {
		flying := int64(sender.addressed) - int64(delivered.Load())
		if flying > size {
			t.Errorf("%d messages are in flight, above the window of %d", flying, size)
		}
		if flying == size {
			full++
		}
		return nil
	}
	result := mustRun(t.Context(), t, Config{
		Sender: sender, Max: true, Window: size, Count: 5000, MaxID: 2,
		Delivered: func() uint64 {
			// Asked with a full window, and before that.
			if flying := sender.addressed - delivered.Load(); flying > size/2 {
				delivered.Add(size / 5)
			}
			return delivered.Load()
		},
	})
	if result.Sent != 5000 || result.WrittenOff != 0 || result.Unaddressed == 0 {
		t.Errorf("the result is %+v, want 5000 sent and none written off", result)
	}
}

func TestWindowRoom(t *testing.T) {
	now := time.Unix(1, 0)
	var delivered uint64
	w := window{each: 1, size: 100, delivered: func() uint64 { return delivered }}
	step := func(after time.Duration, r Receipt, gone uint64, want, lost int64) {
		t.Helper()
		now = now.Add(after)
		delivered = gone
		if got := w.room(r, now); got != want || w.lost != lost {
			t.Errorf("with %+v and %d delivered there is room for %d with %d lost, want %d and %d", r, gone, got, w.lost, want, lost)
		}
	}
	step(0, Receipt{}, 0, 100, 0)
	step(time.Second, Receipt{Unanswered: 60}, 0, 40, 0)
	step(time.Second, Receipt{Sent: 60, Reached: 40, Unaddressed: 20, Unanswered: 50}, 10, 20, 0)
	step(time.Second, Receipt{Sent: 150, Reached: 120}, 20, 0, 0)
	step(stallLimit-time.Nanosecond, Receipt{Sent: 150, Reached: 120}, 20, 0, 0)
	step(time.Nanosecond, Receipt{Sent: 150, Reached: 120}, 20, 100, 100) // given up
	step(time.Second, Receipt{Sent: 150, Reached: 120, Unanswered: 30}, 20, 70, 100)
	step(time.Second, Receipt{Sent: 150, Reached: 120, Unanswered: 30}, 120, 100, 30) // the 100 arrived after all, and 30 are under way
	step(time.Second, Receipt{Sent: 180, Reached: 150}, 150, 100, 0)

	// Whom they reached is not known: then all that were sent are waited for.
	w = window{each: 1, size: 100, delivered: w.delivered}
	step(0, Receipt{Sent: 60, Unanswered: 10, ReachUnknown: true}, 20, 50, 0)
	step(stallLimit, Receipt{Sent: 130, ReachUnknown: true}, 30, 0, 0)
	step(stallLimit, Receipt{Sent: 130, ReachUnknown: true}, 30, 100, 100)

	// Each is for 30 connections: the window holds deliveries, and the last message may
	// make a few more.
	w = window{each: 30, size: 100, delivered: w.delivered}
	step(0, Receipt{}, 0, 4, 0)
	step(time.Second, Receipt{Sent: 1, Reached: 30, Unanswered: 1}, 10, 2, 0)
	step(time.Second, Receipt{Sent: 4, Reached: 120}, 20, 0, 0)
	step(stallLimit, Receipt{Sent: 4, Reached: 120}, 20, 4, 100)
	w = window{each: 1000, size: 100, delivered: w.delivered}
	step(0, Receipt{Sent: 1, ReachUnknown: true}, 0, -900, 0)
	step(time.Second, Receipt{Sent: 1, ReachUnknown: true}, 950, 1, 0)

	w = window{each: 1, size: 10}
	step(0, Receipt{Sent: 1000, Reached: 1000, Unanswered: 4}, 0, 6, 0)
}

func TestUnansweredStaysUnderTheWindowWithoutFeedback(t *testing.T) {
	sender := &recorder{}
	sender.fail = func(string) error {
		if sender.receipt.Unanswered > 10 {
			t.Errorf("%d messages are unanswered, above the window of 10", sender.receipt.Unanswered)
		}
		return nil
	}
	mustRun(t.Context(), t, Config{Sender: sender, Max: true, Window: 10, Count: 500, MaxID: 2})
}

// TestMostIDs: the counts of as many ids as are taken are memory that can be had.
func TestMostIDs(t *testing.T) {
	if bytes := uint64(maxIDs) * 8; bytes > math.MaxInt {
		t.Errorf("the counts of %d ids take %d bytes, and an address reaches %d", maxIDs, bytes, math.MaxInt)
	}
	err := Config{To: "http://127.0.0.1:8001", MaxID: maxIDs + 1}.Validate()
	if err == nil || !strings.Contains(err.Error(), "ids would cost over "+strconv.Itoa(maxIDs>>27)+" GiB") {
		t.Error(err)
	}
}

func TestValidateNamesEveryField(t *testing.T) {
	config := Config{
		To: "nowhere", Senders: -1, Interval: -1, Rate: -1, Max: true, Window: -1,
		FirstID: -1, MaxID: -1, Size: Size{Bytes: -1}, Duration: -1,
		Distribution: Distribution{Shape: "bell"},
	}
	err := config.Validate()
	if err == nil {
		t.Fatal("it was taken")
	}
	for _, field := range []string{"To", "Senders", "Interval", "Rate", "Window", "FirstID", "MaxID", "Size", "Duration", "Distribution"} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("%q does not name %s", err, field)
		}
	}
	good := Config{To: "http://127.0.0.1:8001", MaxID: 1}
	if err := good.Validate(); err != nil {
		t.Errorf("%+v: %v", good, err)
	}
	for name, change := range map[string]func(*Config){
		"no receiver":       func(c *Config) { c.To = "" },
		"no ids":            func(c *Config) { c.MaxID = 0 },
		"ids upside down":   func(c *Config) { c.FirstID = 2 },
		"too many ids":      func(c *Config) { c.MaxID = math.MaxInt64 },
		"max and a rate":    func(c *Config) { c.Max, c.Rate = true, 1 },
		"a rate and steps":  func(c *Config) { c.Rate, c.Interval = 1, 1 },
		"max and steps":     func(c *Config) { c.Max, c.Interval = true, 1 },
		"no number as rate": func(c *Config) { c.Rate = math.NaN() },
		"exponent below 0":  func(c *Config) { c.Distribution = Distribution{Shape: Zipf, Exponent: -1} },
		"no exponent":       func(c *Config) { c.Distribution = Distribution{Shape: Zipf, Exponent: math.NaN()} },
		"hot over all":      func(c *Config) { c.Distribution = Distribution{Shape: Hot, HotMessages: 1.1} },
		"hot under none":    func(c *Config) { c.Distribution = Distribution{Shape: Hot, HotIDs: -0.1} },
		"constant ids":      func(c *Config) { c.Distribution.Shape = Constant },
		"poisson at max":    func(c *Config) { c.Max, c.Arrivals.Shape = true, Poisson },
		"uniform arrivals":  func(c *Config) { c.Arrivals.Shape = Uniform },
		"an endless ramp":   func(c *Config) { c.Arrivals = Arrivals{Shape: Ramp} },
		"a ramp from below": func(c *Config) { c.Arrivals = Arrivals{Shape: Ramp, Over: 1, From: -1} },
		"sizes upside down": func(c *Config) { c.Size = Size{Shape: Uniform, Min: 2, Max: 1} },
		"a huge size":       func(c *Config) { c.Size = Size{Bytes: maxSize + 1} },
		"a huge mean":       func(c *Config) { c.Size = Size{Shape: Exponential, Bytes: maxSize} },
		"zipf sizes":        func(c *Config) { c.Size.Shape = Zipf },
	} {
		bad := good
		change(&bad)
		if err := bad.Validate(); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestResultAsJSON(t *testing.T) {
	result := Result{Seed: 5, Run: "0badf00d", Stats: Stats{Asked: 3, Receipt: Receipt{Sent: 3, Reached: 2}}}
	got, err := json.Marshal(result)
	want := `{"seed":5,"run":"0badf00d","seconds":0,"asked":3,"sent":3,"reached":2,"unaddressed":0,"refused":0,"unknown":0,"unanswered":0,"written_off":0,"late":0,"late_ms":null,"woke_late_ms":null,"away":false}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v\nwant %s", got, err, want)
	}
}

// TestRunWord: the stamps carry the word that was chosen, or one of their own.
func TestRunWord(t *testing.T) {
	for _, word := range []wire.Run{0xbadcafe, 0} {
		r := &recorder{}
		result := mustRun(t.Context(), t, Config{Sender: r, Count: 3, Interval: time.Millisecond, MaxID: 2, Run: word})
		if result.Run == "00000000" || word != 0 && result.Run != "0badcafe" {
			t.Errorf("run %v is said to be %q", word, result.Run)
		}
		for _, m := range r.messages {
			if run := stampOf(t, m.message).run; run != result.Run {
				t.Errorf("%q: the result says that the run is %q", m.message, result.Run)
			}
		}
	}
}
