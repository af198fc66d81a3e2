package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"example.org/comet/server/wire"
)

const (
	// authLeeway is how far the clock of who makes the tokens may be off.
	authLeeway = 5 * time.Second
	// mostToken is how long a token may be, in bytes.
	mostToken = 8 << 10
)

// authority verifies the JSON Web Tokens (RFC 7519) of connections and publishers. It
// is safe for concurrent use.
type authority struct {
	core   *core
	parser *jwt.Parser
	keys   atomic.Pointer[[]authKey]
	now    func() time.Time // when tokens are verified
	// reported is when a refused token was last logged, in ns since core.started.
	reported atomic.Int64
}

// openAuthority reads the keys of tokens, if there is a file of them.
func (c *core) openAuthority() error {
	if c.AuthKeyFile == "" {
		return nil
	}
	a := &authority{core: c, now: time.Now}
	options := []jwt.ParserOption{
		jwt.WithValidMethods([]string{"RS256", "ES256", "EdDSA", "HS256"}),
		jwt.WithExpirationRequired(), jwt.WithLeeway(authLeeway), jwt.WithJSONNumber(), jwt.WithStrictDecoding(),
		jwt.WithTimeFunc(func() time.Time { return a.now() }),
	}
	if c.AuthAudience != "" {
		options = append(options, jwt.WithAudience(c.AuthAudience))
	}
	a.parser = jwt.NewParser(options...)
	if err := a.load(); err != nil {
		return err
	}
	c.authority, c.parser.Authorize = a, a.login
	return nil
}

// load reads the file of keys. If it cannot, those that were read before stay.
func (a *authority) load() error {
	keys, secret, err := readAuthKeys(a.core.AuthKeyFile)
	if err != nil {
		return err
	}
	if secret && isReadableByOthers(a.core.AuthKeyFile) {
		a.core.Logger.Warn("others on this machine can read the secret of tokens, and make tokens with it: chmod 600", "file", a.core.AuthKeyFile)
	}
	a.keys.Store(&keys)
	return nil
}

// ReloadKeys reads Config.AuthKeyFile again, if there is one. If it cannot be used, the
// keys that were read before stay in use. Open streams stay open.
func (s *Server) ReloadKeys() error {
	if s.core.authority == nil {
		return nil
	}
	return s.core.authority.load()
}

// login, for [wire.Parser], decides whether a connection may log in as ids.
func (a *authority) login(c wire.Credential, ids []int64) (until int64, refusal *wire.Answer) {
	claims, until, refusal := a.verify(c)
	if refusal != nil {
		return 0, refusal
	}
	users, err := usersOf(claims)
	if err != nil {
		return 0, a.invalid(err)
	}
	if !users.has(ids...) {
		return 0, wire.TokenForbids
	}
	return until, nil
}

// mayPublish returns the answer to who may not publish the events of publisher, nil
// for who may.
func (a *authority) mayPublish(c wire.Credential, publisher int64) *wire.Answer {
	claims, _, refusal := a.verify(c)
	if refusal != nil {
		return refusal
	}
	publishers, err := idsOf(claims, "publishers")
	if err != nil {
		return a.invalid(err)
	}
	if !publishers.has(publisher) {
		return wire.TokenForbids
	}
	return nil
}

// Why a token is refused that package jwt lets pass.
var (
	errTooLongToken = errors.New("it is longer than a token may be")
	errCritical     = errors.New("its header demands what is not known here (crit)")
	errForOthers    = errors.New("it is for an audience, and this server has no name: give --auth-audience")
	errNoKey        = errors.New("no key fits its algorithm and kid")
	errMoreClaims   = errors.New("there is more in it behind its claims")
)

// verify returns the claims of a token and when it expires, in Unix seconds, or the
// answer to one that is not valid.
func (a *authority) verify(c wire.Credential) (claims jwt.MapClaims, until int64, refusal *wire.Answer) {
	switch {
	case c.Ambiguous:
		return nil, 0, wire.TokenAmbiguous
	case c.Token == nil:
		return nil, 0, wire.TokenNeeded
	case len(c.Token) > mostToken:
		return nil, 0, a.invalid(errTooLongToken)
	case bytes.ContainsAny(c.Token, "\r\n"): // which package base64 skips, and RFC 7515, section 2, forbids
		return nil, 0, a.invalid(jwt.ErrTokenMalformed)
	}
	claims = jwt.MapClaims{}
	token, err := a.parser.ParseWithClaims(string(c.Token), claims, a.keysOf)
	if err != nil {
		return nil, 0, a.invalid(err)
	}
	// Package jwt reads no further than the end of the claims, and takes any number for a
	// time.
	if !a.isOneObject(token) {
		return nil, 0, a.invalid(errMoreClaims)
	}
	until, err = timeOf(claims, "exp")
	if err == nil {
		_, err = timeOf(claims, "nbf")
	}
	// One that is named must be ours (RFC 7519, section 4.1.3).
	if _, named := claims["aud"]; err == nil && named && a.core.AuthAudience == "" {
		err = errForOthers
	}
	if err != nil {
		return nil, 0, a.invalid(err)
	}
	return claims, until + int64(authLeeway/time.Second), nil
}

// isOneObject reports whether the claims are JSON to their end (RFC 7519, section 7.2,
// step 10).
func (a *authority) isOneObject(token *jwt.Token) bool {
	_, rest, _ := strings.Cut(token.Raw, ".")
	claims, _, _ := strings.Cut(rest, ".")
	text, err := a.parser.DecodeSegment(claims)
	return err == nil && json.Valid(text)
}

// keysOf returns the keys that may have signed a token: those of its algorithm, of
// them the one that it names, and else those without a name. It is for [jwt.Parser].
func (a *authority) keysOf(token *jwt.Token) (any, error) {
	if _, there := token.Header["crit"]; there {
		return nil, errCritical // no extension is known here (RFC 7515, section 4.1.11)
	}
	kid, named := token.Header["kid"]
	all := *a.keys.Load()
	named = named && slices.ContainsFunc(all, func(k authKey) bool { return k.name != "" })
	var set jwt.VerificationKeySet
	for _, k := range all {
		if k.algorithm == token.Method.Alg() && (!named || k.name == "" || k.name == kid) {
			set.Keys = append(set.Keys, k.key)
		}
	}
	if len(set.Keys) == 0 {
		return nil, errNoKey
	}
	return set, nil
}

// invalid returns the answer to a token that is not valid. The client is not told
// why; the log is, at most once per second.
func (a *authority) invalid(err error) *wire.Answer {
	if a.core.mayReport(&a.reported) {
		a.core.Logger.Info("a token was refused; /stats counts them all", "reason", whyInvalid(err))
	}
	return wire.TokenInvalid
}

// whyInvalid returns why a token is refused, without a word of it.
func whyInvalid(err error) string {
	for _, why := range [...]error{errTooLongToken, errCritical, errForOthers, errNoKey, errMoreClaims, errClaim} {
		if errors.Is(err, why) {
			return why.Error()
		}
	}
	for _, known := range [...]struct {
		err error
		why string
	}{
		{jwt.ErrTokenMalformed, "it is not a JSON Web Token"},
		{jwt.ErrTokenSignatureInvalid, "its signature is not of the key"},
		{jwt.ErrTokenUnverifiable, "its algorithm is not known here"},
		{jwt.ErrTokenRequiredClaimMissing, "a claim is missing: exp, or aud with --auth-audience"},
		{jwt.ErrTokenExpired, "it has expired"},
		{jwt.ErrTokenNotValidYet, "it is not valid yet (nbf)"},
		{jwt.ErrTokenInvalidAudience, "it is for another audience"},
	} {
		if errors.Is(err, known.err) {
			return known.why
		}
	}
	return "its claims are not valid"
}
