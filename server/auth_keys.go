package server

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
)

// authKey verifies the tokens of one algorithm, which is that of its kind and not
// for a token to choose (RFC 8725, section 3.1).
type authKey struct {
	algorithm string
	name      string // its kid, if it has one
	key       any    // as package jwt takes it
}

const (
	// leastSecret is the shortest secret of HS256 (RFC 7518, section 3.2), and
	// leastModulus the shortest key of RS256, in bits (section 3.3).
	leastSecret  = 32
	leastModulus = 2048
	// mostAuthKeys bounds how often one token may be verified.
	mostAuthKeys = 16
	mostKeyFile  = 1 << 20
)

// readAuthKeys reads the keys of a file, and reports whether they are secret.
func readAuthKeys(path string) (keys []authKey, secret bool, err error) {
	text, err := os.ReadFile(path)
	if err == nil {
		keys, err = parseAuthKeys(text)
	}
	if err != nil {
		return nil, false, fmt.Errorf("server: the keys of tokens, %s: %w", path, err)
	}
	for _, k := range keys {
		secret = secret || k.algorithm == "HS256"
	}
	return keys, secret, nil
}

// parseAuthKeys reads public keys in PEM, a set of keys in JSON, or else a secret.
func parseAuthKeys(text []byte) (keys []authKey, err error) {
	start := bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\ufeff")))
	switch {
	case len(text) > mostKeyFile:
		return nil, fmt.Errorf("it has %d bytes, which no file of keys has", len(text))
	case bytes.HasPrefix(start, []byte("{")):
		keys, err = parseKeySet(start)
	case bytes.Contains(text, []byte("-----BEGIN ")):
		keys, err = parsePEMKeys(text)
	default:
		keys, err = parseSecret(text)
	}
	if err == nil && len(keys) > mostAuthKeys {
		err = fmt.Errorf("it has %d keys, more than %d: leave out those that no token is signed with any more", len(keys), mostAuthKeys)
	}
	return keys, err
}

// parsePEMKeys reads one public key after the other.
func parsePEMKeys(text []byte) (keys []authKey, err error) {
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			if bytes.Contains(text, []byte("-----BEGIN ")) {
				return nil, errors.New("a PEM block in it is not complete")
			}
			return keys, nil
		}
		text = rest
		var public any
		switch block.Type {
		case "PUBLIC KEY":
			public, err = x509.ParsePKIXPublicKey(block.Bytes)
		case "RSA PUBLIC KEY":
			public, err = x509.ParsePKCS1PublicKey(block.Bytes)
		case "CERTIFICATE":
			err = errors.New("write its public key there instead: openssl x509 -in FILE -noout -pubkey")
		default:
			err = errors.New("write the public key there: openssl pkey -in FILE -pubout (a private key is for who makes the tokens, and not for this server)")
		}
		if err != nil {
			return nil, fmt.Errorf("it has a %s: %w", block.Type, err)
		}
		key, err := newPublicKey(public)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
}

// newPublicKey returns a key with the algorithm of its kind.
func newPublicKey(public any) (authKey, error) {
	switch key := public.(type) {
	case *rsa.PublicKey:
		if n := key.N.BitLen(); n < leastModulus {
			return authKey{}, fmt.Errorf("an RSA key of %d bits is too short: use one of %d or more", n, leastModulus)
		}
		return authKey{algorithm: "RS256", key: key}, nil
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P256() {
			return authKey{}, fmt.Errorf("an EC key on the curve %s is not known here: use P-256 (ES256)", key.Curve.Params().Name)
		}
		return authKey{algorithm: "ES256", key: key}, nil
	case ed25519.PublicKey:
		if isForgeable(key) {
			return authKey{}, errors.New("an Ed25519 key in it is of those with which anybody can sign: have a new one made")
		}
		return authKey{algorithm: "EdDSA", key: key}, nil
	}
	return authKey{}, fmt.Errorf("a key of the kind %T is not known here: use RSA (RS256), EC P-256 (ES256) or Ed25519 (EdDSA)", public)
}

// isForgeable reports whether a key is a point of small order, such as one of zeros: who
// knows no private key can sign with it (RFC 8032, section 5.1.7, lets a verifier take
// it). Its order is at most 8, so a signature of nothing fits one in eight texts.
func isForgeable(key ed25519.PublicKey) bool {
	nothing := make([]byte, ed25519.SignatureSize)
	nothing[0] = 1 // R is the neutral point, and S is 0
	for text := range byte(64) {
		if ed25519.Verify(key, []byte{text}, nothing) {
			return true
		}
	}
	return false
}

// parseSecret reads the secret of HS256: the bytes of the file, but for the line end
// behind a text. A file that is something else would be a secret that everybody
// knows, and is refused.
func parseSecret(text []byte) ([]authKey, error) {
	for start, what := range map[string]string{
		"ssh-": "a public key of SSH", "ecdsa-sha2-": "a public key of SSH", "eyJ": "a token, and no key", "[": "JSON, and no set of keys", "<": "XML or HTML",
	} {
		if bytes.HasPrefix(bytes.TrimSpace(text), []byte(start)) {
			return nil, fmt.Errorf("it is %s: write public keys in PEM, a JSON Web Key Set, or a secret of %d bytes or more", what, leastSecret)
		}
	}
	if _, err := x509.ParsePKIXPublicKey(text); err == nil {
		return nil, errors.New("it is a public key in DER: have it in PEM (openssl pkey -pubin -inform DER -in FILE)")
	}
	if _, err := x509.ParseCertificate(text); err == nil {
		return nil, errors.New("it is a certificate in DER: write its public key there in PEM (openssl x509 -inform DER -in FILE -noout -pubkey)")
	}
	secret := text
	if isPrintable(bytes.TrimRight(text, "\r\n")) {
		secret = bytes.TrimRight(text, "\r\n")
	}
	if len(secret) < leastSecret {
		return nil, fmt.Errorf("a secret of %d bytes is too short: use %d or more (openssl rand -hex 32)", len(secret), leastSecret)
	}
	return []authKey{{algorithm: "HS256", key: bytes.Clone(secret)}}, nil
}

func isPrintable(text []byte) bool {
	for _, c := range text {
		if c < ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}
