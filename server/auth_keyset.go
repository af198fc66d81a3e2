package server

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
)

// webKey is a JSON Web Key (RFC 7517), as far as it matters here.
type webKey struct {
	Kind      string `json:"kty"`
	Name      string `json:"kid"`
	Use       string `json:"use"`
	Algorithm string `json:"alg"`
	Curve     string `json:"crv"`
	Modulus   bits   `json:"n"`
	Exponent  bits   `json:"e"`
	X         bits   `json:"x"`
	Y         bits   `json:"y"`
	Secret    bits   `json:"k"`
	Private   bits   `json:"d"`
}

// bits are bytes that JSON has in base64url (RFC 7515, appendix C).
type bits []byte

// UnmarshalText implements [encoding.TextUnmarshaler].
func (b *bits) UnmarshalText(text []byte) (err error) {
	*b, err = base64.RawURLEncoding.Strict().DecodeString(string(bytes.TrimRight(text, "=")))
	return err
}

// parseKeySet reads a JSON Web Key Set, or one key alone. Keys for other uses or
// algorithms are left out, as sets that are published have those as well.
func parseKeySet(text []byte) (keys []authKey, err error) {
	var set struct {
		Keys []webKey `json:"keys"`
		webKey
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, fmt.Errorf("it is not a JSON Web Key Set (RFC 7517): %w", err)
	}
	if set.Kind != "" {
		set.Keys = append(set.Keys, set.webKey)
	}
	for _, k := range set.Keys {
		key, err := k.authKey()
		switch {
		case err != nil:
			return nil, fmt.Errorf("the key %.80q: %w", k.Name, err)
		case k.Algorithm != "" && k.Algorithm != key.algorithm, key.algorithm == "":
			continue
		}
		key.name = k.Name
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errors.New("there is no key in it that verifies RS256, ES256, EdDSA or HS256")
	}
	return keys, nil
}

// authKey returns the key, without an algorithm if it is of a kind that is not known
// here.
func (k *webKey) authKey() (authKey, error) {
	switch {
	case k.Private != nil:
		return authKey{}, errors.New("it is private, and for who makes the tokens: leave out d and whatever else is secret")
	case k.Use != "" && k.Use != "sig":
		return authKey{}, nil
	case k.Kind == "RSA":
		e := new(big.Int).SetBytes(k.Exponent)
		if !e.IsInt64() || e.Int64() < 3 || e.Int64() > 1<<31-1 || e.Bit(0) == 0 {
			return authKey{}, errors.New("its exponent e is none of RSA")
		}
		return newPublicKey(&rsa.PublicKey{N: new(big.Int).SetBytes(k.Modulus), E: int(e.Int64())})
	case k.Kind == "EC" && k.Curve == "P-256":
		const size = 32
		if len(k.X) != size || len(k.Y) != size {
			return authKey{}, errors.New("its x and y must have 32 bytes each")
		}
		public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, k.X...), k.Y...))
		if err != nil {
			return authKey{}, errors.New("its x and y are no point of P-256")
		}
		return newPublicKey(public)
	case k.Kind == "OKP" && k.Curve == "Ed25519":
		if len(k.X) != ed25519.PublicKeySize {
			return authKey{}, errors.New("its x must have 32 bytes")
		}
		return newPublicKey(ed25519.PublicKey(k.X))
	case k.Kind == "oct":
		if len(k.Secret) < leastSecret {
			return authKey{}, fmt.Errorf("a secret of %d bytes is too short: use %d or more", len(k.Secret), leastSecret)
		}
		return authKey{algorithm: "HS256", key: []byte(k.Secret)}, nil
	}
	return authKey{}, nil
}
