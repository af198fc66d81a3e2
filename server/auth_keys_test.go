package server

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// jwkOf writes a public key, or a secret, as a JSON Web Key.
func jwkOf(tb testing.TB, key any, more string) string {
	tb.Helper()
	b64 := base64.RawURLEncoding.EncodeToString
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return `{"kty":"RSA","n":"` + b64(k.N.Bytes()) + `","e":"AQAB"` + more + `}`
	case *ecdsa.PrivateKey:
		point, err := k.PublicKey.Bytes()
		if err != nil {
			tb.Fatal(err)
		}
		return `{"kty":"EC","crv":"P-256","x":"` + b64(point[1:33]) + `","y":"` + b64(point[33:]) + `"` + more + `}`
	case ed25519.PrivateKey:
		return `{"kty":"OKP","crv":"Ed25519","x":"` + b64(k[32:]) + `"` + more + `}`
	case []byte:
		return `{"kty":"oct","k":"` + b64(k) + `"` + more + `}`
	}
	tb.Fatalf("%T", key)
	return ""
}

// TestKeyFiles: what a file of keys may be.
func TestKeyFiles(t *testing.T) {
	all := issuers()
	binary := bytes.Repeat([]byte{0, 1, 10, 255}, 8)
	set := func(keys ...string) string { return `{"keys":[` + strings.Join(keys, ",") + `]}` }
	jwk := func(kind, more string) string { return jwkOf(t, all[kind].key, more) }
	for name, c := range map[string]struct{ text, want string }{
		"PEM":                 {all["RS256"].file, "RS256"},
		"PEM with words":      {"bag\r\n" + strings.ReplaceAll(all["ES256"].file, "\n", "\r\n") + "\n", "ES256"},
		"several":             {all["RS256"].file + all["ES256"].file + all["EdDSA"].file, "RS256 ES256 EdDSA"},
		"secret":              {secret, "HS256"},
		"binary secret":       {string(binary), "HS256"},
		"set of all":          {set(jwk("RS256", ""), jwk("ES256", ""), jwk("EdDSA", ""), jwk("HS256", "")), "RS256 ES256 EdDSA HS256"},
		"set with more in it": {set(jwk("RS256", `,"alg":"RS256","use":"sig","kid":"a"`), jwk("RS256", `,"alg":"PS256"`), jwk("RS256", `,"use":"enc"`), jwk("RS256", `,"alg":"RSA-OAEP"`), `{"kty":"EC","crv":"P-521"}`, `{"kty":"new"}`), "RS256"},
		"one key":             {"\ufeff " + jwk("EdDSA", ""), "EdDSA"},
	} {
		keys, err := parseAuthKeys([]byte(c.text))
		var kinds []string
		for _, k := range keys {
			kinds = append(kinds, k.algorithm)
		}
		if got := strings.Join(kinds, " "); err != nil || got != c.want {
			t.Errorf("%s: %q, error %v, want %q", name, got, err, c.want)
		}
	}
	for text, want := range map[string]string{secret: secret, secret + "\n": secret, secret + "\r\n": secret, string(binary) + "\n": string(binary) + "\n", " " + secret + " \n": " " + secret + " "} {
		if keys, err := parseAuthKeys([]byte(text)); err != nil || string(keys[0].key.([]byte)) != want {
			t.Errorf("%q: %q, error %v", text, keys, err)
		}
	}
}

// TestBadKeyFiles: a file that is something else is refused, with what to do. Taken for
// a secret, it would be one that others know.
func TestBadKeyFiles(t *testing.T) {
	all := issuers()
	block := func(kind string, der []byte, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	der := func(key any) []byte {
		b, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert, _, _ := testCert(t)
	certText, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	public := all["RS256"].file
	publicDER, _ := pem.Decode([]byte(public))
	certDER, _ := pem.Decode(certText)
	ed := all["EdDSA"].key
	for name, c := range map[string]struct{ text, want string }{
		"empty":                {"", "a secret of 0 bytes is too short: use 32 or more"},
		"a short secret":       {secret[1:] + "\n", "a secret of 31 bytes is too short"},
		"a private key":        {block("PRIVATE KEY", der(ed), nil), "it has a PRIVATE KEY: write the public key there: openssl pkey"},
		"a private key behind": {public + block("RSA PRIVATE KEY", []byte("x"), nil), "it has a RSA PRIVATE KEY: write the public"},
		"a certificate":        {string(certText), "it has a CERTIFICATE: write its public key there instead"},
		"a weak key":           {pemOf(&weak.PublicKey), "an RSA key of 1024 bits is too short: use one of 2048"},
		"another curve":        {pemOf(&p384.PublicKey), "on the curve P-384 is not known here"},
		"a PEM cut":            {public[:len(public)-10], "a PEM block in it is not complete"},
		"a PEM with rubbish":   {block("PUBLIC KEY", []byte("rubbish"), nil), "it has a PUBLIC KEY: asn1"},
		"a public key in DER":  {string(publicDER.Bytes), "it is a public key in DER"},
		"a certificate in DER": {string(certDER.Bytes), "it is a certificate in DER"},
		"a key of SSH":         {"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIP0000000000000000000000000000000000000000 me", "it is a public key of SSH"},
		"another key of SSH":   {"ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTY", "it is a public key of SSH"},
		"a token":              {all["HS256"].token(jwt.MapClaims{}), "it is a token, and no key"},
		"a page":               {"<html><body>Sign in to download the keys of this service</body></html>", "it is XML or HTML"},
		"a list":               {`["0123456789abcdef0123456789abcdef"]`, "it is JSON, and no set of keys"},
		"bad JSON":             {`{"keys":[`, "it is not a JSON Web Key Set (RFC 7517): unexpected end"},
		"no keys":              {`{"issuer":"https://id.example"}`, "there is no key in it that verifies"},
		"keys for others":      {`{"keys":[{"kty":"RSA","use":"enc"}]}`, "there is no key in it"},
		"a private JWK":        {`{"keys":[` + jwkOf(t, ed, `,"d":"AA","kid":"k"`) + `]}`, `the key "k": it is private`},
		"a short JWK":          {`{"keys":[` + jwkOf(t, []byte("short"), "") + `]}`, `a secret of 5 bytes is too short`},
		"a weak JWK":           {`{"keys":[` + jwkOf(t, weak, "") + `]}`, "an RSA key of 1024 bits"},
		"no point":             {`{"keys":[{"kty":"EC","crv":"P-256","x":"` + strings.Repeat("A", 43) + `","y":"` + strings.Repeat("A", 43) + `"}]}`, "no point of P-256"},
		"half a point":         {`{"keys":[{"kty":"EC","crv":"P-256","x":"AA"}]}`, "32 bytes each"},
		"an even exponent":     {strings.Replace(jwkOf(t, all["RS256"].key, ""), "AQAB", "AQAA", 1), "its exponent e"},
		"a short Ed25519":      {`{"kty":"OKP","crv":"Ed25519","x":"AAAA"}`, "its x must have 32 bytes"},
		"bad base64":           {`{"kty":"oct","k":"!!!!"}`, "illegal base64"},
		"too many":             {strings.Repeat(all["EdDSA"].file, mostAuthKeys+1), "it has 17 keys, more than 16"},
		"too long":             {strings.Repeat("x", mostKeyFile+1), "which no file of keys has"},
	} {
		path := keyFile(t, c.text)
		_, err := New(Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", AuthKeyFile: path})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "server: the keys of tokens, "+path) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
			continue
		}
		if lines := slices.Collect(strings.Lines(c.text)); len(c.text) > 100 && strings.Contains(err.Error(), lines[0][:len(lines[0])/2]) && !strings.HasPrefix(c.text, "-----") {
			t.Errorf("%s: the error quotes the file: %v", name, err)
		}
	}
	if _, err := New(Config{AuthKeyFile: filepath.Join(t.TempDir(), "none")}); err == nil || !strings.Contains(err.Error(), "no such file") && runtime.GOOS != "windows" {
		t.Errorf("no file: %v", err)
	}
	if err := (Config{AuthAudience: "me"}).Validate(); err == nil || !strings.Contains(err.Error(), "give --auth-key-file") {
		t.Errorf("an audience without keys: %v", err)
	}
}

// TestWeakEd25519 refuses the points of small order, in each way to write them.
func TestWeakEd25519(t *testing.T) {
	for _, point := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000", // of order 4
		"0100000000000000000000000000000000000000000000000000000000000000", // 1
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", // 8
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", // 8
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // 2: p-1
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // 4: p, which is 0
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // 1: p+1
	} {
		for _, sign := range []byte{0, 0x80} {
			x, err := hex.DecodeString(point)
			if err != nil {
				t.Fatal(err)
			}
			x[31] |= sign
			const want = "with which anybody can sign"
			for name, file := range map[string]string{"set": jwkOf(t, ed25519.PrivateKey(append(make([]byte, 32), x...)), ""), "PEM": pemOf(ed25519.PublicKey(x))} {
				if _, err := parseAuthKeys([]byte(file)); err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%x in a %s: %v, want %q", x, name, err, want)
				}
			}
		}
	}
	if isForgeable(issuers()["EdDSA"].key.(ed25519.PrivateKey).Public().(ed25519.PublicKey)) {
		t.Error("a key that was just made is refused")
	}
}

// TestKeyByName: a token that names its key is verified by that one, or by those
// without a name; any key of its algorithm verifies one that names none.
func TestKeyByName(t *testing.T) {
	_, other, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	by := issuers()["EdDSA"]
	named, others := jwkOf(t, by.key, `,"kid":"mine"`), jwkOf(t, other, `,"kid":"another"`)
	nameless := jwkOf(t, by.key, "")
	set := func(keys ...string) string {
		text, err := json.Marshal(map[string]any{"keys": keys})
		if err != nil {
			t.Fatal(err)
		}
		return strings.NewReplacer(`"{`, "{", `}"`, "}", `\"`, `"`).Replace(string(text))
	}
	for _, c := range []struct {
		file, header string
		passes       bool
	}{
		{set(others, named), "", true},
		{set(others, named), "kid=mine", true},
		{set(others, named), "kid=another", false},
		{set(others, named), "kid=unknown", false},
		{set(others, nameless), "kid=unknown", true},
		{set(others, nameless), "kid=another", true},
		{by.file, "kid=unknown", true},
		{set(others), "", false},
	} {
		s, err := New(Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", AuthKeyFile: keyFile(t, c.file)})
		if err != nil {
			t.Fatal(err)
		}
		var header []string
		if c.header != "" {
			header = append(header, c.header)
		}
		_, err = s.core.authority.parser.Parse(by.token(nil, header...), s.core.authority.keysOf)
		if (err == nil) != c.passes {
			t.Errorf("%.60s, token with %q: %v", c.file, c.header, err)
		}
		s.Close()
	}
}

// TestSecretReadByOthers: a secret that others can read is said, a public key is not.
func TestSecretReadByOthers(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the mode of a file says nothing on Windows")
	}
	for _, c := range []struct {
		kind  string
		mode  os.FileMode
		warns bool
	}{{"HS256", 0o644, true}, {"HS256", 0o640, false}, {"HS256", 0o600, false}, {"RS256", 0o644, false}} {
		path := keyFile(t, issuers()[c.kind].file)
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		r := open(t, Config{AuthKeyFile: path})
		if warns := strings.Contains(r.log.String(), "others on this machine can read the secret"); warns != c.warns {
			t.Errorf("%s in mode %o: %s", c.kind, c.mode, r.log.String())
		}
		r.Close()
	}
}
