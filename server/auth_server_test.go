package server

import (
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// TestTokenExpires: a stream ends with its token, as its protocol ends.
func TestTokenExpires(t *testing.T) {
	by := issuers()["EdDSA"]
	bothEngines(t, func(t engineT) {
		r := open(t, Config{Engine: t.engine, AuthKeyFile: keyFile(t, by.file)})
		// To whom verifies tokens it is an hour ago; a stream knows better.
		r.core.authority.now = func() time.Time { return time.Now().Add(-time.Hour) }
		r.run()
		expired := bearer(by.token(jwt.MapClaims{"sub": "1", "exp": time.Now().Add(-time.Minute).Unix()}))
		stays := r.connect(getWith("/test/1", bearer(by.token(jwt.MapClaims{"sub": "1"}))))
		stays.expect(html11)
		for request, want := range map[string]string{
			getWith("/test/1", expired):                                  html11 + lastOne,
			"GET /test/1 HTTP/1.0\r\n" + expired + "\r\n\r\n":            html10,
			getWith("/events/1", expired):                                sse11 + lastOne,
			getWith("/poll/1", expired):                                  answer204,
			wsStart + expired + "\r\n\r\n":                               wsHead + "\r\n\x88\x17\x03\xf0the token has expired",
			wsStart + expired + "\r\n\r\n" + "\x81\x81\x00\x00\x00\x00x": wsHead + "\r\n\x88\x17\x03\xf0the token has expired",
		} {
			if got := r.connect(request).rest(); got != want {
				t.Errorf("%.40q ends as %q, want %q", request, got, want)
			}
		}
		r.waitFor("the count", func(s Stats) bool { return s.Expired == 6 && s.Logins == 1 && s.Connections == 1 })
		r.publish(1, "m")
		stays.expect(chunk(1, "m"))
	})
}

// TestTokenExpiresOverTLS: a stream over TLS ends with its token as well, in order: behind
// the last bytes of its protocol is the end of TLS.
func TestTokenExpiresOverTLS(t *testing.T) {
	by := issuers()["EdDSA"]
	cert, key, client := testCert(t)
	bothEngines(t, func(t engineT) {
		r := open(t, Config{Engine: t.engine, AuthKeyFile: keyFile(t, by.file), TLSCertFile: cert, TLSKeyFile: key})
		// As in TestTokenExpires.
		r.core.authority.now = func() time.Time { return time.Now().Add(-time.Hour) }
		r.run()
		ask := func(request string) *tls.Conn {
			c := tls.Client(r.dial(), client)
			if _, err := io.WriteString(c, request); err != nil {
				t.Fatal(err)
			}
			return c
		}
		expired := bearer(by.token(jwt.MapClaims{"sub": "1", "exp": time.Now().Add(-time.Minute).Unix()}))
		stays := ask(getWith("/test/1", bearer(by.token(jwt.MapClaims{"sub": "1"}))))
		if got := make([]byte, len(html11)); true {
			if _, err := io.ReadFull(stays, got); err != nil || string(got) != html11 {
				t.Fatalf("%q, error %v", got, err)
			}
		}
		for request, want := range map[string]string{
			getWith("/test/1", expired):                       html11 + lastOne,
			"GET /test/1 HTTP/1.0\r\n" + expired + "\r\n\r\n": html10,
			getWith("/events/1", expired):                     sse11 + lastOne,
			getWith("/poll/1", expired):                       answer204,
			wsStart + expired + "\r\n\r\n":                    wsHead + "\r\n\x88\x17\x03\xf0the token has expired",
		} {
			if got, err := io.ReadAll(ask(request)); err != nil || string(got) != want {
				t.Errorf("%.40q ends as %q, error %v, want %q", request, got, err, want)
			}
		}
		r.waitFor("the count", func(s Stats) bool { return s.Expired == 5 && s.Logins == 1 && s.Connections == 1 })
		r.publish(1, "m")
		if got := make([]byte, len(chunk(1, "m"))); true {
			if _, err := io.ReadFull(stays, got); err != nil || string(got) != chunk(1, "m") {
				t.Errorf("the stream that stays has %q, error %v", got, err)
			}
		}
	})
}

// TestTokenAudience: with a name, a token must be for it.
func TestTokenAudience(t *testing.T) {
	by := issuers()["HS256"]
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine, AuthKeyFile: keyFile(t, by.file), AuthAudience: "push"})
		for want, audiences := range map[string][]any{
			html11:  {"push", []string{"push"}, []string{"x", "push"}},
			invalid: {nil, "", "pus", "PUSH", "push ", []string{"x"}, []string{}, 1, []any{"push", 1}},
		} {
			for _, audience := range audiences {
				c := r.connect(getWith("/test/1", bearer(by.token(jwt.MapClaims{"sub": 1, "aud": audience}))))
				if got := make([]byte, len(want)); true {
					if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
						t.Errorf("the audience %v is answered %q, error %v", audience, got, err)
					}
				}
			}
		}
	})
}

// TestReloadKeys: keys are changed while streams are open, and a file that cannot be
// used changes nothing.
func TestReloadKeys(t *testing.T) {
	before, after := issuers()["ES256"], issuers()["EdDSA"]
	path := keyFile(t, before.file)
	r := start(t, Config{AuthKeyFile: path})
	opens := func(by issuer) bool {
		c := r.connect(getWith("/test/1", bearer(by.token(jwt.MapClaims{"sub": "1"}))))
		got := make([]byte, len("HTTP/1.1 200"))
		if _, err := io.ReadFull(c, got); err != nil {
			t.Fatal(err)
		}
		return string(got) == "HTTP/1.1 200"
	}
	for _, step := range []struct {
		text                   string
		fails, opens, opensNew bool
	}{
		{before.file, false, true, false},
		{before.file + after.file, false, true, true},
		{"short", true, true, true},
		{after.file, false, false, true},
		{"", true, false, true},
	} {
		if err := os.WriteFile(path, []byte(step.text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := r.ReloadKeys()
		if got := [3]bool{err != nil, opens(before), opens(after)}; got != [3]bool{step.fails, step.opens, step.opensNew} {
			t.Errorf("with %.30q: %v, error %v", step.text, got, err)
		}
	}
	if s := r.Stats(); s.Logins != 7 {
		t.Errorf("%d streams are open, want all 7", s.Logins)
	}
}

// TestWhoMayPublishEvents: the admin token, or one that allows the publisher.
func TestWhoMayPublishEvents(t *testing.T) {
	by := issuers()["EdDSA"]
	may := by.token(jwt.MapClaims{"publishers": []any{"5-6"}})
	const admin = "the token of the admin listener"
	const told = `{"followers":0,"reached":0}` + "\n"
	bothEngines(t, func(t engineT) {
		for _, adminToken := range []string{"", admin} {
			r := start(t, Config{Engine: t.engine, AuthKeyFile: keyFile(t, by.file), AdminToken: adminToken, Subscriptions: filepath.Join(t.TempDir(), "db")})
			post := func(path, token string, more ...string) (int, string, http.Header) {
				var fields []string
				if token != "" {
					fields = append(fields, bearer(token))
				}
				resp, answer := r.askFull("POST", path, strings.NewReader("m"), append(fields, more...)...)
				return resp.StatusCode, answer, resp.Header
			}
			said := map[string]string{} // by the challenge
			for _, c := range []struct {
				path, token string
				code        int
				challenge   string
			}{
				{"/event/5", may, 200, ""},
				{"/event/%36", may, 200, ""},
				{"/event/7", may, 403, `Bearer realm="comet", error="insufficient_scope"`},
				{"/event/5", by.token(jwt.MapClaims{"ids": []any{"0-9"}, "sub": "5"}), 403, `Bearer realm="comet", error="insufficient_scope"`},
				{"/event/5", by.token(jwt.MapClaims{"publishers": []any{5}, "exp": 1}), 401, `Bearer realm="comet", error="invalid_token"`},
				{"/event/5", by.token(jwt.MapClaims{"publishers": 5}), 401, `Bearer realm="comet", error="invalid_token"`},
				{"/event/5", issuers()["HS256"].token(jwt.MapClaims{"publishers": []any{5}}), 401, `Bearer realm="comet", error="invalid_token"`},
				{"/event/5", "", 401, `Bearer realm="comet"`},
				{"/event/5?access_token=" + may, "", 401, `Bearer realm="comet"`},
			} {
				code, answer, header := post(c.path, c.token)
				if code != c.code || header.Get("WWW-Authenticate") != c.challenge || code == 200 != (answer == told) || code != 200 && header.Get("Cache-Control") != "no-store" {
					t.Errorf("admin token %q: %s with %.20q: %d %s %v", adminToken, c.path, c.token, code, answer, header)
				}
				if before, there := said[c.challenge]; there && answer != before {
					t.Errorf("admin token %q: %s with %.20q is told %s, another with the same challenge %s", adminToken, c.path, c.token, answer, before)
				}
				said[c.challenge] = answer
			}
			if resp, _ := r.askTwice("/event/5", may); resp != 400 {
				t.Errorf("two tokens: %d", resp)
			}
			// A token of a publisher opens nothing else.
			for _, path := range []string{"/send/1", "/send", "/gc", "/event", "/event/5/6", "/event/"} {
				if code, answer, _ := post(path, may); adminToken != "" && code != 401 {
					t.Errorf("%s with the token of a publisher: %d %s", path, code, answer)
				}
			}
			if code, _, _ := post("/event/7", adminToken); adminToken != "" && code != 200 {
				t.Errorf("the admin token: %d", code)
			}
			code, answer, _ := post("/send", adminToken)
			if adminToken != "" && code != 400 { // "m" is no line
				t.Errorf("the admin token: %d %s", code, answer)
			}
			resp, answer := r.askFull("POST", "/send", strings.NewReader(`{"from":7,"message":"m"}`), bearer(adminToken))
			if adminToken != "" && resp.StatusCode != 200 || adminToken == "" && (resp.StatusCode != 400 || !strings.Contains(answer, "events take a token")) {
				t.Errorf("admin token %q, an event in a line: %d %s", adminToken, resp.StatusCode, answer)
			}
			if adminToken == "" {
				if code, _, _ := post("/event/5", may, "Sec-Fetch-Site: cross-site"); code != 403 {
					t.Errorf("from another site: %d", code)
				}
			}
			r.stop()
		}
	})
}

// askTwice posts with two Authorization fields.
func (r *running) askTwice(path, token string) (code int, answer string) {
	r.t.Helper()
	c := dial(r.t, r.AdminAddr().String())
	c.send("POST " + path + " HTTP/1.1\r\nHost: localhost\r\n" + bearer(token) + "\r\n" + bearer(token) + "\r\nContent-Length: 1\r\nConnection: close\r\n\r\nm")
	answer = c.rest()
	return statusOf([]byte(answer)), answer
}

// TestLoopAsksForTokens: a connection that a loop serves may not go on with an event
// where its messages passed without a token.
func TestLoopAsksForTokens(t *testing.T) {
	by := issuers()["EdDSA"]
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine, AuthKeyFile: keyFile(t, by.file), Subscriptions: filepath.Join(t.TempDir(), "db")})
		c := dial(t, r.AdminAddr().String())
		const post = " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n"
		c.send("POST /send/1" + post + "\r\nm" + "POST /event/5" + post + "\r\nm")
		if got := c.rest(); !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") || !strings.Contains(got, "HTTP/1.1 401 Unauthorized\r\n") {
			t.Errorf("%q", got)
		}
		if s := r.Stats(); s.Sent != 1 || s.Events != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestTokensOverTLS: and a preflight needs none.
func TestTokensOverTLS(t *testing.T) {
	by := issuers()["ES256"]
	cert, key, client := testCert(t)
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine, AuthKeyFile: keyFile(t, by.file), TLSCertFile: cert, TLSKeyFile: key, AllowOrigins: []string{app}})
		for request, want := range map[string]string{
			getWith("/test/1", bearer(by.token(jwt.MapClaims{"sub": "1"}))):           with(html11, toNone),
			getWith("/test/2", bearer(by.token(jwt.MapClaims{"sub": "1"}))):           with(forbidding, toNone),
			getWith("/events/1", "Origin: "+app):                                      with(needed, toApp),
			getWith("/test/1", "Origin: "+app, bearer(by.token(jwt.MapClaims{})+"x")): with(invalid, toApp),
			"OPTIONS /events/1 HTTP/1.1\r\nHost: h\r\nOrigin: " + app + "\r\nAccess-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: authorization\r\n\r\n": "HTTP/1.1 204 No Content\r\nServer: comet\r\nConnection: close\r\nAccess-Control-Allow-Methods: GET, HEAD\r\nAccess-Control-Max-Age: 7200\r\nAccess-Control-Allow-Headers: authorization\r\n" + toApp + "\r\n",
		} {
			c := tls.Client(r.dial(), client)
			got := make([]byte, len(want))
			if _, err := io.WriteString(c, request); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
				t.Errorf("%.60q is answered %q, error %v, want %q", request, got, err, want)
			}
		}
	})
}

// TestTokensAreNotLogged: whatever becomes of a request, and however its token is
// written, no line has it.
func TestTokensAreNotLogged(t *testing.T) {
	t.Parallel()
	by := issuers()["HS256"]
	good := by.token(jwt.MapClaims{"ids": []any{1}})
	const sentinel = "S3NTINEL"
	bothEngines(t, func(t engineT) {
		var log logBuffer
		r := start(t, Config{Engine: t.engine, AuthKeyFile: keyFile(t, by.file), AccessLog: &log, AccessLogSample: 1, HeadTimeout: 2 * time.Second})
		stream := r.connect(getWith("/test/1?a=b&access_token=" + good + "&c=d"))
		stream.expect(html11)
		stream.Close()
		refused := []string{
			getWith("/test/1?access_token=" + sentinel),
			getWith("/test/1?access%5ftoken=" + sentinel),
			getWith("/test/1?ACCESS_TOKEN=" + sentinel + "&x"),
			getWith("/test/1?access_token=a?" + sentinel + "#" + sentinel),
			getWith("/test/1?next=%2Ftest%2F1%3Faccess_token%3D" + sentinel),
			getWith("/test/1?x=" + strings.Repeat("x", accessRequest-40) + "&access_token=" + sentinel),
			getWith("/test/x?access_token=" + sentinel),
			getWith("/nowhere?access_token=" + sentinel),
			getWith("/test/1&access_token=" + sentinel),
			getWith("/test/1", bearer(sentinel)),
			"GET /test/1?access_token=" + sentinel + " HTTP/9.9\r\n\r\n",
			"GET /test/1?access_token=" + sentinel,
			"BREW /test/1?access_token=" + sentinel + " HTTP/1.1\r\nHost: h\r\n\r\n",
		}
		for _, request := range refused {
			c := r.connect(request)
			c.rest()
			c.Close()
		}
		r.waitForLogins(0)
		r.stop()
		lines := accessLines(t, log.String())
		if len(lines) != len(refused)+1 || !strings.Contains(log.String(), "GET /test/1?a=b&access_token=***&c=d HTTP/1.1") {
			t.Errorf("%d lines: %s", len(lines), log.String())
		}
		for _, text := range []string{log.String(), r.log.String()} {
			if strings.Contains(text, sentinel) || strings.Contains(text, good[len(good)-20:]) {
				t.Errorf("a token was logged: %s", text)
			}
		}
	})
}
