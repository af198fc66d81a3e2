package server

import (
	"cmp"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"example.org/comet/server/wire"
)

// idSet is ids as a claim lists them: in order, and without overlap.
type idSet []idSpan

// idSpan is the ids from first to last.
type idSpan struct{ first, last int64 }

// has reports whether every one of ids is in the set.
func (s idSet) has(ids ...int64) bool {
	for _, id := range ids {
		// The first span that does not end before id.
		i, _ := slices.BinarySearchFunc(s, id, func(span idSpan, id int64) int { return cmp.Compare(span.last, id) })
		if i == len(s) || s[i].first > id {
			return false
		}
	}
	return true
}

var errClaim = errors.New("a claim is not what it must be")

// idsOf reads a claim such as [1, "2", "10-20"]: ids and ranges of them. Numbers
// beyond 2^53 are safer in quotes, which no JSON library rounds. A claim that is not
// there is no ids.
func idsOf(claims jwt.MapClaims, name string) (set idSet, err error) {
	claim, there := claims[name]
	if !there {
		return nil, nil
	}
	list, ok := claim.([]any)
	if !ok {
		return nil, errClaim
	}
	for _, element := range list {
		var text string
		switch value := element.(type) {
		case json.Number:
			text = value.String()
		case string:
			text = value
		default:
			return nil, errClaim
		}
		span, ok := parseSpan(text)
		if !ok {
			return nil, errClaim
		}
		set = append(set, span)
	}
	return merged(set), nil
}

// parseSpan reads ID or FIRST-LAST.
func parseSpan(text string) (span idSpan, ok bool) {
	from, to, isRange := strings.Cut(text, "-")
	if !isRange {
		to = from
	}
	first, ok1 := wire.ParseID([]byte(from))
	last, ok2 := wire.ParseID([]byte(to))
	return idSpan{first, last}, ok1 && ok2 && first <= last
}

// merged returns the spans in order, those that touch as one.
func merged(spans []idSpan) idSet {
	slices.SortFunc(spans, func(a, b idSpan) int { return cmp.Compare(a.first, b.first) })
	var set idSet
	for _, span := range spans {
		if n := len(set); n > 0 && (set[n-1].last == math.MaxInt64 || span.first <= set[n-1].last+1) {
			set[n-1].last = max(set[n-1].last, span.last)
			continue
		}
		set = append(set, span)
	}
	return set
}

// usersOf returns the ids that a token may log in as: those of its claim ids, or
// without that its subject, if that is one.
func usersOf(claims jwt.MapClaims) (idSet, error) {
	if _, there := claims["ids"]; there {
		return idsOf(claims, "ids")
	}
	subject, _ := claims["sub"].(string)
	if number, is := claims["sub"].(json.Number); is {
		subject = number.String()
	}
	id, ok := wire.ParseID([]byte(subject))
	if !ok {
		return nil, nil
	}
	return idSet{{id, id}}, nil
}

// timeOf returns a claim that is a NumericDate (RFC 7519, section 2), rounded up to
// whole seconds, and 0 if it is not there.
func timeOf(claims jwt.MapClaims, name string) (seconds int64, err error) {
	claim, there := claims[name]
	if !there {
		return 0, nil
	}
	number, ok := claim.(json.Number)
	if !ok {
		return 0, errClaim
	}
	value, err := number.Float64()
	const year10000 = 253402300800
	if err != nil || value < 0 || value >= year10000 {
		return 0, errClaim
	}
	return int64(math.Ceil(value)), nil
}
