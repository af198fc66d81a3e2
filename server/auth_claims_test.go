package server

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// claimsOf reads claims as the parser of tokens does.
func claimsOf(text string) (claims jwt.MapClaims, err error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	return claims, d.Decode(&claims)
}

func TestUsersOf(t *testing.T) {
	for text, want := range map[string]idSet{
		`{"ids":[3,1,2]}`:                          {{1, 3}},
		`{"ids":["10-20",15,"20-30",32,"0"]}`:      {{0, 0}, {10, 30}, {32, 32}},
		`{"ids":[9007199254740993]}`:               {{9007199254740993, 9007199254740993}},
		`{"ids":["0-9223372036854775807",5]}`:      {{0, math.MaxInt64}},
		`{"ids":["9223372036854775807",9,"9-10"]}`: {{9, 10}, {math.MaxInt64, math.MaxInt64}},
		`{"ids":["007"],"sub":"8"}`:                {{7, 7}},
		`{"ids":[],"sub":"8"}`:                     nil,
		`{"sub":"8"}`:                              {{8, 8}},
		`{"sub":8}`:                                {{8, 8}},
		`{"sub":"8-9"}`:                            nil,
		`{"sub":"8,9"}`:                            nil,
		`{"sub":["8"]}`:                            nil,
		`{"sub":8.0}`:                              nil,
		`{"sub":"alice"}`:                          nil,
		`{}`:                                       nil,
		`{"ids":[1e2]}`:                            {{-1, 0}},
		`{"ids":[-1]}`:                             {{-1, 0}},
		`{"ids":["1-"]}`:                           {{-1, 0}},
		`{"ids":["-1"]}`:                           {{-1, 0}},
		`{"ids":["1-2-3"]}`:                        {{-1, 0}},
		`{"ids":["2-1"]}`:                          {{-1, 0}},
		`{"ids":[" 1"]}`:                           {{-1, 0}},
		`{"ids":["*"]}`:                            {{-1, 0}},
		`{"ids":[[1]]}`:                            {{-1, 0}},
		`{"ids":[9223372036854775808]}`:            {{-1, 0}},
		`{"ids":{"1":true}}`:                       {{-1, 0}},
	} {
		claims, err := claimsOf(text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := usersOf(claims)
		if bad := slices.Equal(want, idSet{{-1, 0}}); bad != (err != nil) || !bad && !slices.Equal(got, want) {
			t.Errorf("%s: %v, error %v, want %v", text, got, err, want)
		}
	}
}

func TestIDSetHas(t *testing.T) {
	set := idSet{{1, 3}, {10, 20}, {math.MaxInt64, math.MaxInt64}}
	for id, want := range map[int64]bool{0: false, 1: true, 2: true, 3: true, 4: false, 9: false, 10: true, 20: true, 21: false, math.MaxInt64 - 1: false, math.MaxInt64: true} {
		if set.has(id) != want {
			t.Errorf("%d: %t, want %t", id, !want, want)
		}
	}
	if !set.has(1, 2, 15) || set.has(1, 2, 5) || idSet(nil).has(1) {
		t.Error("several ids are not all looked at")
	}
}

func TestTimeOf(t *testing.T) {
	for text, want := range map[string]int64{`1`: 1, `1.2`: 2, `0`: 0, `253402300799`: 253402300799} {
		if got, err := timeOf(jwt.MapClaims{"exp": json.Number(text)}, "exp"); err != nil || got != want {
			t.Errorf("%s: %d, error %v, want %d", text, got, err, want)
		}
	}
	for _, claim := range []any{json.Number("-1"), json.Number("253402300800"), json.Number("1e999"), "1", nil, true} {
		if got, err := timeOf(jwt.MapClaims{"exp": claim}, "exp"); err == nil {
			t.Errorf("%v is the time %d", claim, got)
		}
	}
}

// FuzzUsersOf holds that a set has exactly the ids of its spans, one by one.
func FuzzUsersOf(f *testing.F) {
	for _, text := range []string{`{"ids":[1,"2-4",9]}`, `{"sub":"5"}`, `{"ids":["0-9223372036854775807"]}`, `{"ids":["3-2"]}`, `{"ids":null}`} {
		f.Add([]byte(text), int64(3))
	}
	f.Fuzz(func(t *testing.T, text []byte, id int64) {
		claims, err := claimsOf(string(text))
		if err != nil {
			return
		}
		set, err := usersOf(claims)
		if err != nil {
			return
		}
		want := false
		elements, isList := claims["ids"].([]any)
		if !isList {
			elements = []any{claims["sub"]}
		}
		for _, element := range elements {
			if n, is := element.(json.Number); is {
				element = n.String()
			}
			text, _ := element.(string)
			span, ok := parseSpan(text)
			want = want || ok && span.first <= id && id <= span.last && (isList || span.first == span.last)
		}
		if set.has(id) != want {
			t.Errorf("%s has %d: %t, want %t (%v)", text, id, !want, want, set)
		}
		for i, span := range set {
			if span.first < 0 || span.last < span.first || i > 0 && span.first-1 <= set[i-1].last {
				t.Errorf("%s: %v", text, set)
			}
		}
	})
}
