package server

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const secret = "0123456789abcdef0123456789abcdef"

// issuer makes tokens.
type issuer struct {
	method jwt.SigningMethod
	key    any
	file   string // what verifies them
}

// issuers has one of each kind. They are made once, since an RSA key takes a while.
var issuers = sync.OnceValue(func() map[string]issuer {
	rsaKey, err := rsa.GenerateKey(rand.Reader, leastModulus)
	ecKey, err2 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	edPublic, edKey, err3 := ed25519.GenerateKey(rand.Reader)
	if err != nil || err2 != nil || err3 != nil {
		panic("no keys")
	}
	return map[string]issuer{
		"RS256": {jwt.SigningMethodRS256, rsaKey, pemOf(&rsaKey.PublicKey)},
		"ES256": {jwt.SigningMethodES256, ecKey, pemOf(&ecKey.PublicKey)},
		"EdDSA": {jwt.SigningMethodEdDSA, edKey, pemOf(edPublic)},
		"HS256": {jwt.SigningMethodHS256, []byte(secret), secret + "\n"},
	}
})

func pemOf(public any) string {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// token makes one with these claims, and what else the server demands.
func (i issuer) token(claims jwt.MapClaims, header ...string) string {
	all := jwt.MapClaims{"exp": time.Now().Add(time.Hour).Unix()}
	maps.Copy(all, claims)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	t := jwt.NewWithClaims(i.method, all)
	for _, h := range header {
		name, value, _ := strings.Cut(h, "=")
		t.Header[name] = value
	}
	text, err := t.SignedString(i.key)
	if err != nil {
		panic(err)
	}
	return text
}

func keyFile(tb testing.TB, text string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "key")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

var (
	challenge  = `WWW-Authenticate: Bearer realm="comet"`
	noStore    = "\r\nCache-Control: no-store\r\n"
	needed     = text("401 Unauthorized", challenge+noStore, "A token is needed here: Authorization: Bearer TOKEN.")
	invalid    = text("401 Unauthorized", challenge+`, error="invalid_token"`+noStore, "This token is not valid here, or not any more: get a new one.")
	ambiguous  = text("400 Bad Request", challenge+`, error="invalid_request"`+noStore, "A request carries one token, in one place (RFC 6750, section 2).")
	forbidding = text("403 Forbidden", challenge+`, error="insufficient_scope"`+noStore, "This token does not allow that.")
)

func getWith(target string, fields ...string) string {
	return "GET " + target + " HTTP/1.1\r\nHost: h\r\n" + strings.Join(append(fields, ""), "\r\n") + "\r\n"
}

func bearer(token string) string { return "Authorization: Bearer " + token }

// TestTokens: a token of each kind of key opens a stream of every protocol, wherever
// it stands, and none that is not right opens any.
func TestTokens(t *testing.T) {
	for kind, by := range issuers() {
		t.Run(kind, func(t *testing.T) {
			bothEngines(t, func(t engineT) {
				r := start(t, Config{Engine: t.engine, AuthKeyFile: keyFile(t, by.file)})
				good := by.token(jwt.MapClaims{"ids": []any{1, "2-5"}})
				for _, c := range []struct{ request, want string }{
					{getWith("/test/1", bearer(good)), html11},
					{getWith("/test/2,3,5", bearer(good)), html11},
					{getWith("/test/1", "authorization:  BEARER   "+good+"\t"), html11},
					{getWith("/test/1?access_token=" + good), html11},
					{getWith("/test/1?a=b&access%5Ftoken=" + good + "&c"), html11},
					{getWith("/test/1?access_token="+strings.ReplaceAll(good, ".", "%2E"), "Authorization: Basic eDp5"), html11},
					{"GET http://h/test/1?access_token=" + good + " HTTP/1.0\r\n\r\n", html10},
					{getWith("/events/4", bearer(good)), sse11},
					{wsStart + bearer(good) + "\r\n\r\n", wsHead + "\r\n"},
					{strings.Replace(wsStart, "/ws/1", "/ws/1?access_token="+good, 1) + "\r\n", wsHead + "\r\n"},
				} {
					r.connect(c.request).expect(c.want)
				}
				r.connect(getWith("/poll/3", bearer(good)))
				r.waitForLogins(13)
				for name, request := range attacks(by, good) {
					want := invalid
					switch {
					case strings.HasPrefix(name, "no "):
						want = needed
					case strings.HasPrefix(name, "two "):
						want = ambiguous
					case strings.HasPrefix(name, "other"):
						want = forbidding
					}
					if strings.HasPrefix(request, "HEAD") {
						want, _, _ = strings.Cut(want, "\r\n\r\n")
						want += "\r\n\r\n"
					}
					if got := r.connect(request).rest(); got != want {
						t.Errorf("%s: %.200q is answered %q, want %q", name, request, got, want)
					}
				}
				asked := uint64(len(attacks(by, good)))
				if s := r.Stats(); s.Logins != 13 || s.RefusedUnauthorized+s.RefusedForbidden != asked || s.RefusedForbidden == 0 || s.RefusedOther != 0 || s.Expired != 0 {
					t.Errorf("%d attacks: %+v", asked, s)
				}
				if log := r.log.String(); strings.Contains(log, good[:20]) || !strings.Contains(log, "a token was refused") {
					t.Errorf("the log: %s", log)
				}
			})
		})
	}
}

// attacks are requests that must not open a stream, by what they try.
func attacks(by issuer, good string) map[string]string {
	head, rest, _ := strings.Cut(good, ".")
	claims, signature, _ := strings.Cut(rest, ".")
	ids := jwt.MapClaims{"ids": []any{1}}
	with := func(more jwt.MapClaims) string {
		all := maps.Clone(ids)
		maps.Copy(all, more)
		return by.token(all)
	}
	now := time.Now()
	tokens := map[string]string{
		"expired":                  with(jwt.MapClaims{"exp": now.Add(-time.Minute).Unix()}),
		"expired long ago":         with(jwt.MapClaims{"exp": 0}),
		"without exp":              with(jwt.MapClaims{"exp": nil}),
		"exp is a text":            with(jwt.MapClaims{"exp": "9999999999"}),
		"exp beyond all time":      by.raw(`{"ids":[1],"exp":1e400}`),
		"exp too late to be told":  by.raw(`{"ids":[1],"exp":1e300}`),
		"exp null":                 by.raw(`{"ids":[1],"exp":null}`),
		"exp in capitals":          by.raw(`{"ids":[1],"EXP":9999999999}`),
		"not yet valid":            with(jwt.MapClaims{"nbf": now.Add(time.Minute).Unix()}),
		"nbf beyond all time":      by.raw(`{"ids":[1],"exp":9999999999,"nbf":1e400}`),
		"for others":               with(jwt.MapClaims{"aud": "another service"}),
		"for nobody":               with(jwt.MapClaims{"aud": []string{}}),
		"ids a number":             with(jwt.MapClaims{"ids": 1}),
		"ids a text":               with(jwt.MapClaims{"ids": "1"}),
		"ids null":                 by.raw(`{"ids":null,"sub":"1","exp":9999999999}`),
		"ids with a fraction":      with(jwt.MapClaims{"ids": []any{1, 1.5}}),
		"more behind its claims":   by.raw(`{"ids":[1],"exp":9999999999}x`),
		"claims twice":             by.raw(`{"ids":[1],"exp":9999999999}{}`),
		"ids turned round":         with(jwt.MapClaims{"ids": []any{1, "9-2"}}),
		"ids below 0":              with(jwt.MapClaims{"ids": []any{1, -1}}),
		"ids with a hole":          with(jwt.MapClaims{"ids": []any{1, nil}}),
		"a header that demands":    by.token(ids, "crit=b64"),
		"another signature":        head + "." + claims + "." + strings.Repeat("A", len(signature)),
		"a signature cut":          good[:len(good)-4],
		"no signature but a dot":   head + "." + claims + ".",
		"bits behind the last":     flipLast(good),
		"padded":                   good + "=",
		"two parts":                head + "." + claims,
		"four parts":               good + "." + signature,
		"other claims":             head + "." + encoded(`{"ids":["0-9"],"exp":9999999999}`) + "." + signature,
		"alg none":                 encoded(`{"alg":"none"}`) + "." + claims + ".",
		"alg None":                 encoded(`{"alg":"None"}`) + "." + claims + ".",
		"alg none, signed":         encoded(`{"alg":"none"}`) + "." + claims + "." + signature,
		"alg unknown":              encoded(`{"alg":"XS256"}`) + "." + claims + "." + signature,
		"alg missing":              encoded(`{"typ":"JWT"}`) + "." + claims + "." + signature,
		"header is no object":      encoded(`[]`) + "." + claims + "." + signature,
		"dots":                     "..",
		"empty":                    "",
		"rubbish":                  "rubbish",
		"too long":                 with(jwt.MapClaims{"x": strings.Repeat("x", mostToken)}),
		"much too long":            strings.Repeat(good+".", 20),
		"a list":                   good + ", Bearer " + good,
		"a second token behind it": good + " " + good,
	}
	// Each other algorithm, with the verifying key for its secret, or a key of its own.
	for i, other := range []issuer{
		{method: jwt.SigningMethodHS256, key: []byte(by.file)},
		{method: jwt.SigningMethodHS256, key: []byte(strings.TrimSpace(by.file))},
		{method: jwt.SigningMethodHS384, key: []byte(strings.TrimSpace(by.file))},
		{method: jwt.SigningMethodHS512, key: []byte(secret)},
		{method: jwt.SigningMethodPS256, key: issuers()["RS256"].key},
		{method: jwt.SigningMethodRS512, key: issuers()["RS256"].key},
		issuers()["RS256"], issuers()["ES256"], issuers()["EdDSA"], issuers()["HS256"],
	} {
		if other.method != by.method {
			tokens[fmt.Sprintf("by %s, %d", other.method.Alg(), i)] = other.token(ids)
		}
	}
	requests := map[string]string{
		"no token":                  getWith("/test/1"),
		"no token, WebSocket":       wsStart + "\r\n",
		"no token, poll":            getWith("/poll/1"),
		"no token in HEAD":          "HEAD /test/1 HTTP/1.1\r\nHost: h\r\n\r\n",
		"no token in HTTP/1.0":      "GET /events/1 HTTP/1.0\r\n\r\n",
		"no token but a password":   getWith("/test/1", "Authorization: Basic "+good),
		"no token behind Bearer\\t": getWith("/test/1", "Authorization: Bearer\t"+good),
		"no token of that name":     getWith("/test/1?Access_Token=" + good + "&token=" + good),
		"no token in a cookie":      getWith("/test/1", "Cookie: access_token="+good),
		"no token in a subprotocol": wsStart + "Sec-WebSocket-Protocol: " + head + "\r\n\r\n",
		"no token where it stands":  getWith("/test/1", "X-Authorization: Bearer "+good, "Proxy-Authorization: Bearer "+good),
		"an empty parameter":        getWith("/test/1?access_token="),
		"a parameter encoded twice": getWith("/test/1?access_token=" + strings.ReplaceAll(good, ".", "%252E")),
		"token with a line break":   getWith("/test/1?access_token=" + good[:len(good)-9] + "%0A" + good[len(good)-9:]),
		"token and a line break":    getWith("/test/1?access_token=" + good + "%0D%0A"),
		"a parameter badly encoded": getWith("/test/1?access_token=" + good + "%zz"),
		"a bearer of nothing":       getWith("/test/1", "Authorization: Bearer"),
		"two fields":                getWith("/test/1", bearer(good), bearer(good)),
		"two schemes":               getWith("/test/1", bearer(good), "Authorization: Basic eDp5"),
		"two parameters":            getWith("/test/1?access_token=" + good + "&access_token=" + good),
		"two places":                getWith("/test/1?access_token="+good, bearer(good)),
		"two places, one bad":       getWith("/test/1?access_token=x", bearer(good)),
		"other id":                  getWith("/test/6", bearer(good)),
		"other id among its own":    getWith("/test/1,2,6", bearer(good)),
		"other id in HEAD":          "HEAD /test/6 HTTP/1.1\r\nHost: h\r\n" + bearer(good) + "\r\n\r\n",
		"other id, encoded":         getWith("/test/%36", bearer(good)),
		"other id by its subject":   getWith("/test/1", bearer(by.token(jwt.MapClaims{"sub": "2"}))),
		"other subject beside ids":  getWith("/test/2", bearer(by.token(jwt.MapClaims{"sub": "2", "ids": []any{1}}))),
		"other, without ids":        getWith("/test/1", bearer(by.token(jwt.MapClaims{"publishers": []any{1}}))),
		"other, of a word":          getWith("/test/1", bearer(by.token(jwt.MapClaims{"sub": "alice"}))),
		"other, of a whole list":    getWith("/test/1", bearer(by.token(jwt.MapClaims{"ids": []any{}, "sub": "1"}))),
		"other name in capitals":    getWith("/test/1", bearer(by.token(jwt.MapClaims{"IDS": []any{1}}))),
	}
	for name, token := range tokens {
		requests["token "+name] = getWith("/test/1", bearer(token))
	}
	return requests
}
