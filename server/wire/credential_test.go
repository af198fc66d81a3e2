package wire

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// credentialOf returns what the parser finds in a head.
func credentialOf(head string) (c Credential, asked int) {
	p := Parser{Authorize: func(found Credential, _ []int64) (int64, *Answer) {
		asked++
		c = Credential{Token: bytes.Clone(found.Token), Ambiguous: found.Ambiguous}
		return 0, nil
	}}
	p.Parse([]byte(head), 0, nil)
	return c, asked
}

func TestCredential(t *testing.T) {
	const none = "none"
	for _, c := range []struct {
		head, token string
		ambiguous   bool
	}{
		{get("/test/1"), none, false},
		{get("/test/1", "Authorization: Bearer a.b-c_d~e+f/g=="), "a.b-c_d~e+f/g==", false},
		{get("/test/1", "AUTHORIZATION:bEARER x"), "x", false},
		{get("/test/1", "Authorization: \t Bearer   x \t"), "x", false},
		{get("/test/1", "Authorization: Bearer"), "", false},
		{get("/test/1", "Authorization:"), none, false},
		{get("/test/1", "Authorization: Basic eDp5"), none, false},
		{get("/test/1", "Authorization: Bearerx y"), none, false},
		{get("/test/1", "Authorization: x Bearer y"), none, false},
		{get("/test/1", "Authorization: Bearer\tx"), none, false},
		{get("/test/1", "Proxy-Authorization: Bearer x"), none, false},
		{get("/test/1", "Authorization: Bearer x", "Authorization: Bearer x"), "x", true},
		{get("/test/1?access_token=x"), "x", false},
		{get("/test/1?access_token=x", "Authorization: Basic eDp5"), "x", false},
		{get("/test/1?a&b=c&access_token=x%2E%59&d"), "x.Y", false},
		{get("/test/1?%61ccess_token=x"), "x", false},
		{get("/test/1?access_token=x?y=z"), "x?y=z", false},
		{get("/test/1?access_token"), "", false},
		{get("/test/1?access_token="), "", false},
		{get("/test/1?access_token=%"), "", false},
		{get("/test/1?access_token=&access_token="), "", true},
		{get("/test/1?access_token=x&access%5Ftoken=x"), "x", true},
		{get("/test/1?access_token=x", "Authorization: Bearer y"), "y", true},
		{get("/test/1?Access_token=x&access_tokens=y&xaccess_token=z"), none, false},
		{get("http://h/events/1?access_token=x"), "x", false},
		{"GET /poll/1?access_token=x HTTP/1.0\r\n\r\n", "x", false},
		{"HEAD /test/1?access_token=x HTTP/1.1\r\nHost: h\r\n\r\n", "x", false},
	} {
		got, asked := credentialOf(c.head)
		if want := c.token; asked != 1 || got.Ambiguous != c.ambiguous || (got.Token == nil) != (want == none) || got.Token != nil && string(got.Token) != want {
			t.Errorf("%q: %q %t, asked %d times", c.head, got.Token, got.Ambiguous, asked)
		}
	}
	for _, head := range []string{get("/test/x", "Authorization: Bearer x"), get("/x"), get("/ws/1"), "HEAD /ws/1 HTTP/1.1\r\nHost: h\r\n\r\n", "OPTIONS /test/1 HTTP/1.1\r\nHost: h\r\n\r\n", "POST /test/1 HTTP/1.1\r\nHost: h\r\n\r\n"} {
		if _, asked := credentialOf(head); asked != 0 {
			t.Errorf("%q is no request for a stream, and was asked for a token", head)
		}
	}
}

// TestParseWithTokens: a token costs a head no memory, and a refusal is whole.
func TestParseWithTokens(t *testing.T) {
	p := Parser{Authorize: func(c Credential, ids []int64) (int64, *Answer) {
		if string(c.Token) != "x" || len(ids) != 1 || ids[0] != 123 {
			return 0, TokenInvalid
		}
		return 77, nil
	}}
	head, scratch := []byte(get("/test/123?access_token=x")), new(Scratch)
	if n := testing.AllocsPerRun(100, func() { p.Parse(head, 0, scratch) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
	if req, _ := p.Parse(head, 0, scratch); req.Refused() || req.Until != 77 || req.Denied != nil {
		t.Errorf("%+v", req)
	}
	for method, want := range map[string][]byte{"GET": TokenInvalid.whole, "HEAD": TokenInvalid.head} {
		req, _ := p.Parse([]byte(method+" /test/123 HTTP/1.1\r\nHost: h\r\n\r\n"), 0, scratch)
		if !req.Refused() || req.Denied != TokenInvalid || len(req.IDs) > 0 || !bytes.Equal(req.Answer, want) {
			t.Errorf("%s: %+v", method, req)
		}
	}
}

func TestHideToken(t *testing.T) {
	for in, want := range map[string]string{
		"GET /test/1 HTTP/1.1":                                  "GET /test/1 HTTP/1.1",
		"GET /test/1?token=x HTTP/1.1":                          "GET /test/1?token=x HTTP/1.1",
		"GET /test/1?access_token=x HTTP/1.1":                   "GET /test/1?access_token=*** HTTP/1.1",
		"GET /test/1?a=b&access_token=x&c=d HTTP/1.1":           "GET /test/1?a=b&access_token=***&c=d HTTP/1.1",
		"GET /test/1?Access%5fToken=x":                          "GET /test/1?Access%5fToken=***",
		"GET /test/1?access_token=x?y#z;w=v HTTP/1.1":           "GET /test/1?access_token=*** HTTP/1.1",
		"GET /?u=%2F%3Faccess_token%3Dx&v=w HTTP/1.1":           "GET /?u=***&v=w HTTP/1.1",
		"GET /?u=%252F%253Faccess%255Ftoken%253Dx HTTP/1.1":     "GET /?u=*** HTTP/1.1",
		"GET /access_token=x HTTP/1.1":                          "GET /access_token=*** HTTP/1.1",
		"GET /access_token/x HTTP/1.1":                          "GET *** HTTP/1.1",
		"access_token=x":                                        "access_token=***",
		"GET /?access_token=x&access_token=y&my_access_token=z": "GET /?access_token=***&access_token=***&my_access_token=***",
		"GET http://h?access_token=a=b=c HTTP/1.1":              "GET http://h?access_token=*** HTTP/1.1",
	} {
		if got := string(HideToken([]byte(in))); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

// FuzzCredential puts a token into a head in some way, and holds that one that is found
// in the query is not in the line that is logged.
func FuzzCredential(f *testing.F) {
	for _, query := range []string{"access_token=", "a=b&access%5Ftoken=", "?access_token=x&", "Access_Token=", "next=%2F%3Faccess_token%3D"} {
		f.Add(query, "&c=d", "Bearer x")
	}
	const token = "S3NTINEL"
	f.Fuzz(func(t *testing.T, before, behind, field string) {
		if strings.Contains(before+behind+field, token) {
			return
		}
		line := fmt.Sprintf("GET /test/1?%s%s%s HTTP/1.1", before, token, behind)
		c, asked := credentialOf(line + "\r\nHost: h\r\nAuthorization: " + field + "\r\n\r\n")
		if asked > 1 {
			t.Errorf("%q: asked %d times", line, asked)
		}
		if asked == 1 && bytes.Contains(c.Token, []byte(token)) && !strings.ContainsAny(line, "\n") {
			if logged := HideToken([]byte(line)); bytes.Contains(logged, []byte(token)) {
				t.Errorf("%q is logged as %q", line, logged)
			}
		}
		if again := HideToken([]byte(line)); strings.Contains(string(again), "\n") && !strings.Contains(line, "\n") {
			t.Errorf("%q is logged as %q", line, again)
		}
	})
}
