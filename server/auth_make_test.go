package server

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"example.org/comet/server/wire"
)

// raw makes a token with claims that no library would write.
func (i issuer) raw(claims string) string {
	signed := encoded(`{"alg":"`+i.method.Alg()+`"}`) + "." + encoded(claims)
	signature, err := i.method.Sign(signed, i.key)
	if err != nil {
		panic(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func encoded(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// flipLast sets bits of the last character that stand for nothing: the same signature,
// otherwise written. Where all of them count, it is another signature.
func flipLast(token string) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := len(token) - 1
	return token[:last] + string(letters[strings.IndexByte(letters, token[last])^1])
}

// BenchmarkTokens measures what a login costs an event loop beside the rest of it.
func BenchmarkTokens(b *testing.B) {
	for kind, by := range issuers() {
		b.Run("key="+kind, func(b *testing.B) {
			r := open(b, Config{AuthKeyFile: keyFile(b, by.file)})
			defer r.Close()
			c := wire.Credential{Token: []byte(by.token(jwt.MapClaims{"sub": "1"}))}
			b.ReportAllocs()
			for b.Loop() {
				if _, refusal := r.core.authority.login(c, []int64{1}); refusal != nil {
					b.Fatal(refusal.Sentence)
				}
			}
		})
	}
}
