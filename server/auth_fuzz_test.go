package server

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"example.org/comet/server/wire"
)

// FuzzKeyFile: keys that are read are what their algorithm takes, golang-jwt reads the same
// ones out of PEM, and they can be written as a set and read again. An error has no word of
// a secret.
func FuzzKeyFile(f *testing.F) {
	all := issuers()
	var set []string
	for _, kind := range []string{"RS256", "ES256", "EdDSA", "HS256"} {
		f.Add([]byte(all[kind].file))
		set = append(set, jwkOf(f, all[kind].key, `,"kid":"`+kind+`","use":"sig","alg":"`+kind+`"`))
		f.Add([]byte(set[len(set)-1]))
	}
	f.Add([]byte(`{"keys":[` + strings.Join(set, ",") + `]}`))
	f.Add([]byte(all["ES256"].file + "and\r\n" + all["EdDSA"].file))
	f.Add([]byte("\ufeff {\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" + strings.Repeat("B", 43) + "=\"}]}"))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-384"},{"kty":"oct","k":"` + strings.Repeat("QUJD", 11) + `","use":"enc"},null]}`))
	f.Add(bytes.Repeat([]byte{0, 255, '\n'}, 20))
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := parseAuthKeys(text)
		if err != nil {
			if keys := bytes.TrimSpace(text); len(keys) > 12 && strings.Contains(err.Error(), string(keys)) {
				t.Errorf("the error quotes the file: %v", err)
			}
			return
		}
		if len(keys) == 0 || len(keys) > mostAuthKeys {
			t.Fatalf("%q has %d keys", text, len(keys))
		}
		var set []string
		for _, k := range keys {
			checkKey(t, k)
			set = append(set, setOf(t, k))
		}
		again, err := parseAuthKeys([]byte(`{"keys":[` + strings.Join(set, ",") + `]}`))
		if err != nil || !reflect.DeepEqual(again, keys) {
			t.Errorf("%q is written as %s, and read as %v, %v", text, set, again, err)
		}
		if !bytes.HasPrefix(bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\ufeff"))), []byte("{")) {
			sameToJWT(t, text, keys[0])
		}
	})
}

// checkKey checks that a key is one of its algorithm (RFC 7518, section 3), and that a
// signature can be held against it.
func checkKey(t *testing.T, k authKey) {
	t.Helper()
	fits := false
	switch key := k.key.(type) {
	case *rsa.PublicKey:
		fits = k.algorithm == "RS256" && key.N.BitLen() >= 2048 && key.E >= 3 && key.E%2 == 1
	case *ecdsa.PublicKey:
		point, err := key.Bytes() // which checks that it is on the curve
		fits = k.algorithm == "ES256" && err == nil && len(point) == 65
	case ed25519.PublicKey:
		fits = k.algorithm == "EdDSA" && len(key) == ed25519.PublicKeySize
	case []byte:
		fits = k.algorithm == "HS256" && len(key) >= 32
	}
	if !fits {
		t.Errorf("a key of %s is %T %v", k.algorithm, k.key, k.key)
	}
	if err := jwt.GetSigningMethod(k.algorithm).Verify("a.b", make([]byte, 64), k.key); err == nil {
		t.Errorf("a key of %s takes any signature", k.algorithm)
	}
}

// setOf writes a key as a JSON Web Key.
func setOf(t *testing.T, k authKey) string {
	t.Helper()
	name, err := json.Marshal(k.name)
	if err != nil {
		t.Fatal(err)
	}
	more := `,"kid":` + string(name)
	switch key := k.key.(type) {
	case *rsa.PublicKey:
		b64 := base64.RawURLEncoding.EncodeToString
		return fmt.Sprintf(`{"kty":"RSA","n":%q,"e":%q%s}`, b64(key.N.Bytes()), b64([]byte{byte(key.E >> 24), byte(key.E >> 16), byte(key.E >> 8), byte(key.E)}), more)
	case *ecdsa.PublicKey:
		return jwkOf(t, &ecdsa.PrivateKey{PublicKey: *key}, more)
	case ed25519.PublicKey:
		return jwkOf(t, ed25519.PrivateKey(append(make([]byte, 32), key...)), more)
	}
	return jwkOf(t, k.key, more)
}

// sameToJWT checks that golang-jwt reads the same key out of PEM.
func sameToJWT(t *testing.T, text []byte, k authKey) {
	t.Helper()
	var theirs interface{ Equal(crypto.PublicKey) bool }
	var err error
	switch k.algorithm {
	case "RS256":
		theirs, err = jwt.ParseRSAPublicKeyFromPEM(text)
	case "ES256":
		theirs, err = jwt.ParseECPublicKeyFromPEM(text)
	case "EdDSA":
		var key crypto.PublicKey
		key, err = jwt.ParseEdPublicKeyFromPEM(text)
		theirs, _ = key.(ed25519.PublicKey)
	default:
		if block, _ := pem.Decode(text); block != nil {
			t.Errorf("the PEM %q is taken for a secret", text)
		}
		return
	}
	if err != nil || !theirs.Equal(k.key) {
		t.Errorf("out of %q golang-jwt reads %v, %v, and we read %v", text, theirs, err, k.key)
	}
}

// FuzzToken holds the verdict on a token to one that is reached by hand (RFC 7519, section
// 7.2), for tokens with a true signature over anything, and for what one byte more or less
// makes of them.
func FuzzToken(f *testing.F) {
	s, err := New(Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", AuthKeyFile: keyFile(f, secret+"\n")})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = s.Close() })
	now := time.Unix(1_800_000_000, 0)
	s.core.authority.now = func() time.Time { return now }
	const late = `{"exp":1800000100}`
	for _, header := range []string{
		`{"alg":"HS256"}`, `{"alg":"HS256","typ":"JWT","kid":"k"}`, `{"alg":"HS256","crit":["b64"],"b64":false}`, `{"alg":"none"}`, `{"alg":"HS512"}`, `{"alg":"RS256"}`,
		`{"alg":["HS256"]}`, `{"alg":"none","alg":"HS256"}`, `{"ALG":"HS256"}`, `{}`, `null`, `[]`, `{"alg":"HS256"} `, `{"alg":"HS256"}x`, "\ufeff{\"alg\":\"HS256\"}", ``,
	} {
		f.Add(header, late, -1, byte(0))
	}
	for _, claims := range []string{
		`{"exp":1800000100,"nbf":1,"sub":"1"}`, `{"exp":1800000100,"nbf":1900000000}`, `{"exp":1}`, `{"exp":-1}`, `{"exp":"1800000100"}`, `{"exp":null}`, `{"exp":1e400}`, `{"exp":253402300800}`,
		`{"exp":1.8000001e9}`, `{"exp":1800000100,"nbf":"1"}`, `{"exp":1800000100,"aud":"x"}`, `{"exp":1800000100,"aud":null}`, `{"exp":1,"exp":1800000100}`, `{"EXP":1800000100}`,
		late + ` `, late + `x`, late + late, `{}`, `null`, `[]`, ``,
	} {
		f.Add(`{"alg":"HS256"}`, claims, -1, byte(0))
	}
	f.Add(`{"alg":"HS256"}`, late, 30, byte('\n'))
	f.Add(`{"alg":"HS256"}`, late, 5, byte('.'))
	f.Add(`{"alg":"HS256"}`, late, 60, byte('='))
	f.Fuzz(func(t *testing.T, header, claims string, at int, with byte) {
		token := encoded(header) + "." + encoded(claims)
		sum := hmac.New(sha256.New, []byte(secret))
		sum.Write([]byte(token))
		token += "." + base64.RawURLEncoding.EncodeToString(sum.Sum(nil))
		switch {
		case at < 0: // as it is
		case at < len(token):
			token = token[:at] + string([]byte{with}) + token[at+1:]
		case at <= 2*len(token):
			token = token[:at-len(token)] + string([]byte{with}) + token[at-len(token):]
		}
		want, sure := validByHand(token, now)
		got, until, refusal := s.core.authority.verify(wire.Credential{Token: []byte(token)})
		if sure && want != (refusal == nil) {
			t.Errorf("the token %s with the claims %s and the header %s: passes %t, by hand %t", token, claims, header, refusal == nil, want)
		}
		if refusal == nil && (got == nil || until < now.Unix()) {
			t.Errorf("%s passes until %d with %v", token, until, got)
		}
		if refusal != nil && refusal != wire.TokenInvalid {
			t.Errorf("%s: %v", token, refusal)
		}
	})
}

// validByHand reports whether a token is valid at a time, and whether that is sure: near its
// limits it is left to others.
func validByHand(token string, now time.Time) (valid, sure bool) {
	var parts [3][]byte
	words := strings.Split(token, ".")
	if len(words) != len(parts) || len(token) > 8<<10 {
		return false, true
	}
	for i, word := range words {
		part, err := base64.RawURLEncoding.Strict().DecodeString(word)
		if err != nil || strings.ContainsAny(word, "\r\n") { // which package base64 skips
			return false, true
		}
		parts[i] = part
	}
	sum := hmac.New(sha256.New, []byte(secret))
	sum.Write([]byte(words[0] + "." + words[1]))
	var header map[string]any
	var claims map[string]json.RawMessage
	if !hmac.Equal(parts[2], sum.Sum(nil)) || json.Unmarshal(parts[0], &header) != nil || json.Unmarshal(parts[1], &claims) != nil {
		return false, true
	}
	_, critical := header["crit"]
	_, named := claims["aud"]
	if header["alg"] != "HS256" || critical || named {
		return false, true
	}
	times := map[string]float64{"exp": 0, "nbf": 0}
	for name := range times {
		text, there := claims[name]
		if !there {
			continue
		}
		var seconds *float64
		if json.Unmarshal(text, &seconds) != nil || seconds == nil || *seconds < 0 || *seconds >= 253402300800 {
			return false, true
		}
		times[name] = *seconds
	}
	const near = 10
	left, since := times["exp"]-float64(now.Unix()), float64(now.Unix())-times["nbf"]
	return left > 0 && since > 0, (left > near || left < -near) && (since > near || since < -near)
}
