package msggen

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func openSender(t *testing.T, config HTTPConfig) *HTTPSender {
	t.Helper()
	s, err := NewHTTPSender(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	return s
}

func send(t *testing.T, s *HTTPSender, id int64, messages ...string) {
	t.Helper()
	for _, m := range messages {
		if err := s.Send(id, []byte(m)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestFlushReachesTheServerAtOnce(t *testing.T) {
	server := newServer(t, func(s *server) { s.connected = 5 })
	s := openSender(t, HTTPConfig{URL: server.URL})

	send(t, s, 3, "one")
	server.waitFor(t, 1) // while the request is open
	long := strings.Repeat("x", 100_000)
	send(t, s, 4, "two", long)
	server.waitFor(t, 3)
	if got, want := s.Receipt(), (Receipt{Unanswered: 3}); got != want {
		t.Errorf("before the answer the receipt is %+v, want %+v", got, want)
	}
	if err := s.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	send(t, s, 9, "", "a b ")
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := s.Receipt(), (Receipt{Sent: 5, Reached: 3, Unaddressed: 2}); got != want {
		t.Errorf("the receipt is %+v, want %+v", got, want)
	}
	var messages []string
	for _, m := range server.got() {
		messages = append(messages, m.message)
	}
	if want := []string{"one", "two", long, "", "a b "}; !slices.Equal(messages, want) {
		t.Errorf("the server got %.80q, want %.80q", messages, want)
	}
	if server.requests != 3 {
		t.Errorf("that took %d requests, want 3: opening, and one for each settlement", server.requests)
	}
}

func TestLineBreaks(t *testing.T) {
	server := newServer(t, nil)
	text := openSender(t, HTTPConfig{URL: server.URL})
	for _, message := range []string{"a\nb", "a\r", "\n"} {
		if err := text.Send(1, []byte(message)); err == nil || !strings.Contains(err.Error(), "NDJSON") {
			t.Errorf("sending %q as a line of text: %v, want an error that points to NDJSON", message, err)
		}
	}
	lines := openSender(t, HTTPConfig{URL: server.URL, NDJSON: true})
	send(t, lines, 7, "a\nb\r\n\"c\"")
	if err := lines.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := server.got()
	if len(got) != 1 || got[0].id != 7 || got[0].message != "a\nb\r\n\"c\"" {
		t.Errorf("the server got %+v", got)
	}
}

func TestLinesThatTheServerRefuses(t *testing.T) {
	server := newServer(t, func(s *server) { s.accept = func(id int64) bool { return id != 2 } })
	s := openSender(t, HTTPConfig{URL: server.URL})
	send(t, s, 1, "a", "b")
	send(t, s, 2, "c")
	if err := s.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := s.Receipt(), (Receipt{Sent: 2, Reached: 2, Refused: 1}); got != want {
		t.Errorf("the receipt is %+v, want %+v", got, want)
	}
}

func TestOpenExplainsWhatIsWrong(t *testing.T) {
	answer := func(status int, text string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Location", "http://elsewhere/")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
			return true
		}
	}
	tests := []struct {
		name   string
		refuse func(http.ResponseWriter, *http.Request) bool
		says   string
		away   bool
	}{
		{"no token", answer(401, "a token is needed\nhere"), "(a token is needed): give the server's admin token, by --admin-token-file or in COMET_ADMIN_TOKEN", false},
		{"not the admin listener", answer(404, ""), "404 Not Found: that is not the admin listener", false},
		{"the wrong method", answer(405, ""), "405 Method Not Allowed: that is not the admin listener", false},
		{"moved", answer(302, ""), "name http://elsewhere/ itself", false},
		{"bad request", answer(400, "line 1: no id"), "400 Bad Request (line 1: no id)", false},
		{"overloaded", answer(503, "draining"), "503 Service Unavailable (draining)", true},
		{"a web page", answer(200, "<html>"), "its answer is not JSON", false},
		{"another JSON", answer(200, "{}"), `its answer has no "sent"`, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := newServer(t, func(s *server) { s.refuse = test.refuse })
			s, err := NewHTTPSender(HTTPConfig{URL: server.URL + "/send"})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close(t.Context())
			err = s.Open(t.Context())
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("Open: %v\nwant that it says %q", err, test.says)
			}
			if errors.Is(err, ErrAway) != test.away {
				t.Errorf("Open: %v: ErrAway is %v, want %v", err, !test.away, test.away)
			}
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		server := newServer(t, nil)
		server.stop()
		s, err := NewHTTPSender(HTTPConfig{URL: server.URL})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close(t.Context())
		if err := s.Open(t.Context()); !errors.Is(err, ErrAway) || !strings.Contains(err.Error(), server.URL) {
			t.Errorf("Open: %v, want an ErrAway that names %s", err, server.URL)
		}
	})
}

func TestToken(t *testing.T) {
	server := newServer(t, func(s *server) {
		s.refuse = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("Authorization") == "Bearer secret" {
				return false
			}
			w.WriteHeader(http.StatusUnauthorized)
			return true
		}
	})
	s := openSender(t, HTTPConfig{URL: server.URL, Token: "secret"})
	send(t, s, 1, "a")
	server.waitFor(t, 1)
}

func TestServerThatDiesInMidRequest(t *testing.T) {
	server := newServer(t, nil)
	s := openSender(t, HTTPConfig{URL: server.URL})
	send(t, s, 1, "a", "b")
	if err := s.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	send(t, s, 1, "c", "d", "e")
	server.waitFor(t, 5)
	server.stop()

	err := s.Settle(t.Context())
	if !errors.Is(err, ErrAway) || !strings.Contains(err.Error(), "3 messages is unknown") {
		t.Errorf("Settle: %v, want an ErrAway that says that 3 messages are unknown", err)
	}
	if got, want := s.Receipt(), (Receipt{Sent: 2, Reached: 2, Unknown: 3}); got != want {
		t.Errorf("the receipt is %+v, want %+v", got, want)
	}
	if err := s.Open(t.Context()); !errors.Is(err, ErrAway) {
		t.Errorf("Open without a server: %v, want ErrAway", err)
	}
	server.listenAgain(t)
	if err := s.Open(t.Context()); err != nil {
		t.Fatalf("Open with a new server: %v", err)
	}
	send(t, s, 1, "f")
	if err := s.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := s.Receipt(), (Receipt{Sent: 3, Reached: 3, Unknown: 3}); got != want {
		t.Errorf("the receipt is %+v, want %+v", got, want)
	}
}

// TestServerThatDiesIsNoticedByFlush writes until it is: what the server's end
// of the connection does first, its transport decides.
func TestServerThatDiesIsNoticedByFlush(t *testing.T) {
	server := newServer(t, nil)
	s := openSender(t, HTTPConfig{URL: server.URL})
	send(t, s, 1, "a")
	server.waitFor(t, 1)
	server.stop()
	deadline := time.Now().Add(10 * time.Second)
	given := uint64(1)
	for {
		if err := s.Send(1, []byte("b")); err != nil {
			t.Fatal(err)
		}
		given++
		err := s.Flush(t.Context())
		if errors.Is(err, ErrAway) {
			break
		}
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("Flush to a dead server: %v", err)
		}
	}
	if r := s.Receipt(); r.Unknown < 1 || r.Unknown+r.Refused != given || r.Unanswered != 0 {
		t.Errorf("of %d messages the receipt is %+v", given, r)
	}
}

func TestServerThatAnswersEarly(t *testing.T) {
	release := make(chan struct{})
	first := true
	server := newServer(t, func(s *server) {
		s.refuse = func(w http.ResponseWriter, r *http.Request) bool {
			if first { // opening
				first = false
				return false
			}
			line := make([]byte, 4)
			_, _ = io.ReadFull(r.Body, line)
			_ = http.NewResponseController(w).EnableFullDuplex()
			_, _ = io.WriteString(w, `{"sent":1,"reached":1,"unaddressed":0}`)
			close(release)
			return true
		}
	})
	s := openSender(t, HTTPConfig{URL: server.URL})
	send(t, s, 1, "a", "b")
	<-release
	var err error
	for deadline := time.Now().Add(10 * time.Second); err == nil && time.Now().Before(deadline); {
		err = s.Flush(t.Context())
	}
	if !errors.Is(err, ErrAway) || !strings.Contains(err.Error(), "before the request ended") {
		t.Errorf("Flush: %v, want an ErrAway that says that the answer came early", err)
	}
	if got, want := s.Receipt(), (Receipt{Sent: 1, Reached: 1, Unknown: 1}); got != want {
		t.Errorf("the receipt is %+v, want %+v", got, want)
	}
}

func TestServerThatDoesNotAnswer(t *testing.T) {
	stuck, first := make(chan struct{}), true
	server := newServer(t, func(s *server) {
		s.refuse = func(_ http.ResponseWriter, r *http.Request) bool {
			if first { // opening
				first = false
				return false
			}
			_, _ = io.Copy(io.Discard, r.Body)
			<-stuck
			return true
		}
	})
	defer close(stuck)
	s := openSender(t, HTTPConfig{URL: server.URL})
	send(t, s, 1, "a")
	s.config.AnswerTimeout = 50 * time.Millisecond
	if err := s.Settle(t.Context()); !errors.Is(err, ErrAway) || !strings.Contains(err.Error(), "let a request hang (no answer after 50ms)") {
		t.Errorf("Settle: %v, want an ErrAway that says how long it waited", err)
	}

	// A context that ends is not the server's fault: Close still asks.
	s.config.AnswerTimeout = time.Minute
	send(t, s, 1, "b")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := s.Settle(ctx); !errors.Is(err, context.DeadlineExceeded) || s.Receipt().Unanswered != 1 {
		t.Errorf("Settle: %v with %+v, want that its message is unanswered", err, s.Receipt())
	}
	if err := s.Close(ctx); !errors.Is(err, ErrAway) || !strings.Contains(err.Error(), "let a request hang (no answer by the end") || !strings.Contains(err.Error(), "of 1 messages is unknown") {
		t.Errorf("Close: %v, want that it says what it leaves unknown", err)
	}
	if got, want := s.Receipt(), (Receipt{Unknown: 2}); got != want {
		t.Errorf("the receipt is %+v, want %+v", got, want)
	}
}

// TestServerThatReadsNothing fills the connection; the context must end that.
func TestServerThatReadsNothing(t *testing.T) {
	stuck, first := make(chan struct{}), true
	server := newServer(t, func(s *server) {
		s.refuse = func(http.ResponseWriter, *http.Request) bool {
			if first { // opening
				first = false
				return false
			}
			<-stuck
			return true
		}
	})
	defer close(stuck)
	s := openSender(t, HTTPConfig{URL: server.URL})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	message := []byte(strings.Repeat("x", 1<<20))
	var err error
	given := uint64(0)
	for err == nil {
		if err := s.Send(1, message); err != nil {
			t.Fatal(err)
		}
		given++
		err = s.Flush(ctx)
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Flush: %v, want the end of its context", err)
	}
	if err := s.Close(ctx); !errors.Is(err, ErrAway) {
		t.Errorf("Close: %v, want that it says what it leaves unknown", err)
	}
	if got, want := s.Receipt(), (Receipt{Unknown: given}); got != want {
		t.Errorf("the receipt is %+v, want %+v", got, want)
	}
}

func TestURL(t *testing.T) {
	for to, want := range map[string]string{
		"http://127.0.0.1:8001":        "http://127.0.0.1:8001/send",
		"http://127.0.0.1:8001/":       "http://127.0.0.1:8001/send",
		"http://127.0.0.1:8001/send":   "http://127.0.0.1:8001/send",
		"https://[::1]:1/a/send/":      "https://[::1]:1/a/send",
		"http://localhost:8001/?x=1":   "http://localhost:8001/send?x=1",
		"127.0.0.1:8001":               "",
		"localhost:8001":               "",
		"":                             "",
		"ftp://127.0.0.1/send":         "",
		"http:///send":                 "",
		"http://127.0.0.1:8001/\x7fsd": "",
	} {
		target, err := parseURL(to)
		switch {
		case want == "" && err == nil:
			t.Errorf("%q was taken, as %s", to, target)
		case want != "" && err != nil:
			t.Errorf("%q: %v", to, err)
		case want != "" && target.String() != want:
			t.Errorf("%q was taken as %s, want %s", to, target, want)
		}
	}
}

// TestEndlessAnswer: of an answer to messages that does not end no more is read than one
// may have.
func TestEndlessAnswer(t *testing.T) {
	server := newServer(t, func(s *server) {
		s.refuse = func(w http.ResponseWriter, _ *http.Request) bool {
			for err := error(nil); err == nil; {
				_, err = io.WriteString(w, strings.Repeat("x", maxAnswer))
			}
			return true
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	config := HTTPConfig{URL: server.URL, AnswerTimeout: time.Hour}
	if _, err := Post(ctx, config, 1, nil); err == nil || ctx.Err() != nil {
		t.Errorf("Post: %v", err)
	}
	s, err := NewHTTPSender(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Open(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("Open: %v", err)
	}
	_ = s.Close(ctx) // there is nothing to settle
}

func TestPost(t *testing.T) {
	var got []string
	server := newServer(t, func(s *server) {
		s.refuse = func(w http.ResponseWriter, r *http.Request) bool {
			body, _ := io.ReadAll(r.Body)
			got = append(got, r.Method+" "+r.URL.Path+" "+string(body))
			switch r.URL.Path {
			case "/send/3":
				_, _ = io.WriteString(w, `{"reached":2}`)
			case "/send/4":
				_, _ = io.WriteString(w, `{"sent":2}`)
			case "/event/5":
				w.WriteHeader(http.StatusNotFound)
				_, _ = io.WriteString(w, `{"error":"this server knows nobody's followers"}`)
			default:
				w.WriteHeader(http.StatusNotFound)
			}
			return true
		}
	})
	for _, url := range []string{server.URL, server.URL + "/send"} {
		reached, err := Post(t.Context(), HTTPConfig{URL: url}, 3, []byte("Hello\nWorld"))
		if err != nil || reached != 2 {
			t.Errorf("Post to %s: %d, %v, want 2 reached", url, reached, err)
		}
	}
	if _, err := Post(t.Context(), HTTPConfig{URL: server.URL}, 4, nil); err == nil {
		t.Error("an answer without a count was taken")
	}
	if _, err := Post(t.Context(), HTTPConfig{URL: server.URL + "/other"}, 3, nil); err == nil || !strings.Contains(err.Error(), "admin listener") {
		t.Errorf("Post to another path: %v", err)
	}
	if _, err := Post(t.Context(), HTTPConfig{URL: server.URL, Events: true}, 5, nil); err == nil ||
		!strings.HasSuffix(err.Error(), "(this server knows nobody's followers)") {
		t.Errorf("Post of an event to a server without followers: %v", err)
	}
	want := []string{"POST /send/3 Hello\nWorld", "POST /send/3 Hello\nWorld", "POST /send/4 ", "POST /other/3 ", "POST /event/5 "}
	if !slices.Equal(got, want) {
		t.Errorf("the server got %q, want %q", got, want)
	}
}
