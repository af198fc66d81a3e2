package msggen

import (
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
)

// TestPublishExplainsEachKind of refusal: the first words name the cause, the
// last what to do.
func TestPublishExplainsEachKind(t *testing.T) {
	answer := func(head, body string) string {
		return "HTTP/1.1 " + head + "\r\nConnection: close\r\n\r\n" + body
	}
	for name, test := range map[string]struct {
		answer string
		says   []string
	}{
		"401":            {answer("401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\"x\"\r\nWWW-Authenticate: Basic", ""), []string{`it asks for Bearer realm="x", Basic`, "as a header"}},
		"403":            {answer("403 Forbidden", "not you"), []string{"403 Forbidden (not you)", "as a header"}},
		"426":            {answer("426 Upgrade Required\r\nUpgrade: websocket", ""), []string{"wants another protocol (websocket)"}},
		"429":            {answer("429 Too Many Requests\r\nRetry-After: 30", ""), []string{"limits the rate", "wait 30 s (Retry-After)", "fewer messages per second"}},
		"503":            {answer("503 Service Unavailable\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT", ""), []string{"overloaded", "wait until Fri, 31 Dec 1999"}},
		"502":            {answer("502 Bad Gateway", "<html><title>502 Bad Gateway</title>"), []string{"the server behind it"}},
		"500":            {answer("500 Oops\x1b[2J", "\x1b[31mboom"), []string{`500 Oops\x1b[2J (\x1b[31mboom)`, "its log should say why"}},
		"302":            {answer("302 Found\r\nLocation: http://x/y", ""), []string{"name http://x/y itself"}},
		"redirect":       {answer("300 Multiple Choices", ""), []string{"after a redirect; name its destination"}},
		"101":            {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", []string{"changes to another protocol"}},
		"no phrase":      {answer("404", ""), []string{"404 Not Found: see that the path"}},
		"plain to TLS":   {answer("400 Bad Request", "Client sent an HTTP request to an HTTPS server."), []string{"write https:// instead"}},
		"plain to nginx": {answer("400 Bad Request", "<html><head><title>400 The plain HTTP request was sent to HTTPS port</title>"), []string{"write https:// instead"}},
		"TLS alert":      {"\x15\x03\x01\x00\x02\x02\x16", []string{"it speaks TLS there: write https:// instead"}},
		"HTTP/2":         {"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03", []string{"it speaks HTTP/2: "}},
		"SMTP":           {"220 mail.example.org ESMTP\x1b\r\n", []string{`it answered "220 mail.example.org ESMTP\x1b", which is not HTTP/1.1 but what a mail`}},
		"a broken head":  {"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n", []string{`line 2 of its answer, "no colon here", is not HTTP/1.1`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t, once(test.answer))
			s := newPublish(t, PublishConfig{URL: "http://" + p.Addr().String() + "/{id}", Connections: 1})
			err := errors.Join(s.Open(t.Context()), s.Send(1, []byte("m")), s.Settle(t.Context()))
			if closed := s.Close(t.Context()); err == nil {
				err = closed
			}
			for _, says := range test.says {
				if err == nil || !strings.Contains(err.Error(), says) {
					t.Errorf("it says %v\nwant %q in it", err, says)
				}
			}
			if err != nil && strings.ContainsFunc(err.Error(), isControl) {
				t.Errorf("%q has control characters", err)
			}
		})
	}
}

// TestTheCommonestRefusalIsExplained, not the first.
func TestTheCommonestRefusalIsExplained(t *testing.T) {
	server := newPublisher(t, func(p *publisher) {
		p.answer = func(w http.ResponseWriter, r *http.Request) bool {
			status := http.StatusTooManyRequests
			if r.URL.Path == "/pub/1" {
				status = http.StatusNotFound
			}
			if r.URL.Path == "/pub/2" {
				return true
			}
			w.WriteHeader(status)
			return false
		}
	})
	s := newPublish(t, PublishConfig{URL: server.URL + "/pub/{id}"})
	result := mustRun(t.Context(), t, Config{Sender: s, Rate: 5000, Count: 10, MaxID: 10, Distribution: Distribution{Shape: Sequential}})
	if err := result.Err(); err == nil || !strings.Contains(err.Error(), "of 10 messages 9 were refused; mostly: POST "+server.URL) || !strings.Contains(err.Error(), "429") {
		t.Errorf("Err: %v, want the commonest reason", err)
	}
	if err := (Stats{Asked: 3, Receipt: Receipt{Sent: 3}}).Err(); err != nil {
		t.Errorf("a run without refusals: %v", err)
	}
}

// TestTLSAndPlainAreNotMixedUp, both ways and by both senders.
func TestTLSAndPlainAreNotMixedUp(t *testing.T) {
	plain, secure := httptest.NewServer(http.NotFoundHandler()), httptest.NewUnstartedServer(http.NotFoundHandler())
	defer plain.Close()
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	raw := newPeer(t, func(c *call) { // as a TLS server that says no more than an alert
		_, _ = c.reader.Peek(1)
		c.say("\x15\x03\x01\x00\x02\x02\x16")
	})
	for url, says := range map[string]string{
		"https" + strings.TrimPrefix(plain.URL, "http"):  "write http:// instead of https://",
		"http" + strings.TrimPrefix(secure.URL, "https"): "write https:// instead of http://",
		"http://" + raw.Addr().String():                  "write https:// instead of http://",
	} {
		s := newPublish(t, PublishConfig{URL: url + "/{id}", Connections: 1})
		err := s.Open(t.Context())
		if err == nil {
			err = errors.Join(s.Send(1, []byte("m")), s.Settle(t.Context()))
			if closed := s.Close(t.Context()); err == nil {
				err = closed
			}
		}
		if err == nil || errors.Is(err, ErrAway) || !strings.Contains(err.Error(), says) {
			t.Errorf("publishing to %s: %v, want a final error that says %q", url, err, says)
		}
		h, err := NewHTTPSender(HTTPConfig{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Open(t.Context()); err == nil || errors.Is(err, ErrAway) || !strings.Contains(err.Error(), says) {
			t.Errorf("posting to %s: %v, want a final error that says %q", url, err, says)
		}
		_ = h.Close(t.Context())
	}
}

func TestAdviseDial(t *testing.T) {
	for err, says := range map[error]string{
		syscall.ECONNREFUSED:   "nothing listens there",
		syscall.EADDRNOTAVAIL:  "no local port left",
		syscall.EMFILE:         "ulimit -n",
		syscall.EHOSTUNREACH:   "no route",
		syscall.Errno(10061):   "nothing listens there", // these are of Windows
		syscall.Errno(10049):   "no local port left",
		syscall.Errno(10024):   "ulimit -n",
		syscall.Errno(10065):   "no route",
		syscall.Errno(10013):   "firewall",
		errors.New("whatever"): "",
	} {
		if got := adviseDial(err); !strings.Contains(got, says) || (says == "") != (got == "") {
			t.Errorf("of %v it says %q, want %q", err, got, says)
		}
	}
}

func TestURLsAreExplained(t *testing.T) {
	for url, says := range map[string]string{
		"127.0.0.1:8080/pub/{id}":         "no scheme; write http://127.0.0.1:8080/pub/{id}",
		"localhost:8080/{id}":             "no scheme; write http://localhost:8080/{id}",
		"localhost/{id}":                  "no scheme",
		"example.org/{id}":                "no scheme",
		"[::1]:80/{id}":                   "no scheme",
		"ws://h/{id}":                     "over http or https, not ws",
		"nats://h:4222/{id}":              "over http or https, not nats",
		"http://::1/{id}":                 "in brackets",
		"http://::1:8080/{id}":            "in brackets",
		"http://h:0/{id}":                 "ports go from 1",
		"http://h:65536/{id}":             "ports go from 1",
		"http://h:x/{id}":                 "not a URL",
		"http://bücher.example/{id}":      "xn--",
		"http://h/?channel=#{id}":         "write that as %23",
		"http://h/#{message}{id}":         "write that as %23",
		"":                                "not a URL",
		"http://":                         "not a URL",
		"\ufeffhttp://h/{id}":             "not a URL",
		"h\x00t\x00t\x00p\x00:\x00/\x00/": "not a URL",
	} {
		if err := (PublishConfig{URL: url}).Validate(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v\nwant that it says %q", url, err, says)
		}
	}
	for _, url := range []string{"http://[::1]:8080/{id}", "http://u:p@[::1]/{id}", "http://h/{id}#x", "HTTP://h/{id}", "http://u:p%3A@h:80/{id}"} {
		if err := (PublishConfig{URL: url}).Validate(); err != nil {
			t.Errorf("%q: %v", url, err)
		}
	}
	zoned, err := newRequestTemplate(PublishConfig{URL: "http://[fe80::1%25eth0]:80/{id}"})
	if err != nil || zoned.address != "[fe80::1%eth0]:80" || !strings.Contains(string(zoned.append(nil, 1, nil)), "Host: [fe80::1]:80\r\n") {
		t.Errorf("of an address with a zone: %v, %+v", err, zoned)
	}
	s, err := NewHTTPSender(HTTPConfig{URL: "http://u:secret@127.0.0.1:1/send"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Open(t.Context()); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("Open: %v, want no password in it", err)
	}
}
