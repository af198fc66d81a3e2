package result

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Target is what a figure must be: p99<50ms. The zero value is none.
type Target struct {
	name  string // as it was written, which may be a short name
	op    string
	asked string // the value as it was written, with its unit
	value float64
}

// Targets are those of a run.
type Targets []Target

// operators are what stands between a key and its value: when a figure meets the
// target, what is the opposite, and how a figure that does not meet it lies.
var operators = map[string]struct {
	meets   func(figure, value float64) bool
	not     string
	against string
}{
	"<":  {func(f, v float64) bool { return f < v }, ">=", "under"},
	"<=": {func(f, v float64) bool { return f <= v }, ">", "under"},
	">":  {func(f, v float64) bool { return f > v }, "<=", "over"},
	">=": {func(f, v float64) bool { return f >= v }, "<", "over"},
	"=":  {func(f, v float64) bool { return f == v }, "!=", ""},
	"!=": {func(f, v float64) bool { return f != v }, "=", ""},
}

// misspelt are the operators of other languages.
var misspelt = map[string]string{"==": "=", "=<": "<=", "=>": ">=", "<>": "!=", "!": "!=", "≤": "<=", "≥": ">=", "≠": "!="}

// UnknownKeyError is that a target names no figure.
type UnknownKeyError struct{ Key string }

func (e *UnknownKeyError) Error() string { return fmt.Sprintf("there is no figure %q", e.Key) }

// UnmarshalText reads KEY OP VALUE: p99<50ms, loss = 0, rss<=200MB.
func (t *Target) UnmarshalText(text []byte) error {
	s := strings.TrimSpace(string(text))
	const signs = "<>=!≤≥≠"
	start := strings.IndexAny(s, signs)
	if start <= 0 {
		return fmt.Errorf("%q is not a target: write a figure, an operator and a value in quotes, such as 'p99<50ms'", s)
	}
	name, rest := strings.TrimSpace(s[:start]), s[start:]
	value := strings.TrimLeft(rest, signs)
	op := rest[:len(rest)-len(value)]
	if _, ok := operators[op]; !ok {
		if right, ok := misspelt[op]; ok {
			return fmt.Errorf("%q is not an operator of %q: write %s", op, s, right)
		}
		return fmt.Errorf("%q is not an operator of %q: use <, <=, >, >=, = or !=", op, s)
	}
	m, ok := Lookup(name)
	if !ok {
		return noFigure(name)
	}
	n, err := m.Unit.parse(strings.TrimSpace(value))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	*t = Target{name: name, op: op, asked: strings.Join(strings.Fields(value), ""), value: n}
	return nil
}

// MarshalText writes t as UnmarshalText reads it.
func (t Target) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// String returns t without spaces.
func (t Target) String() string { return t.name + t.op + t.asked }

// Key returns the key of the figure.
func (t Target) Key() string { return t.metric().Key }

// Not returns the target that is met if t is not.
func (t Target) Not() Target {
	t.op = operators[t.op].not
	return t
}

func (t Target) metric() Metric {
	m, _ := Lookup(t.name)
	return m
}

// Names reports whether a target is about one of these keys.
func (ts Targets) Names(keys ...string) bool {
	return slices.ContainsFunc(ts, func(t Target) bool { return slices.Contains(keys, t.Key()) })
}

// TargetNames returns what a target may be about: the short names, and every key.
func TargetNames() []string {
	names := append([]string(nil), shortNames...)
	for _, m := range catalogue {
		if !slices.Contains(names, m.Key) {
			names = append(names, m.Key)
		}
	}
	return names
}

// noFigure returns why name is not the key of a figure.
func noFigure(name string) error {
	var members []string
	for _, m := range catalogue {
		if strings.HasPrefix(m.Key, name+".") {
			members = append(members, m.Key)
		}
	}
	switch {
	case len(members) > 0:
		return fmt.Errorf("%s is a group: write one of its figures: %s", name, strings.Join(members, ", "))
	case isKey(reflect.TypeFor[Result](), name):
		return fmt.Errorf("%s is in result.json and cannot be a target: comet help targets lists what can", name)
	}
	return &UnknownKeyError{name}
}

// isKey reports whether the JSON of a t has something under a dotted key.
func isKey(t reflect.Type, key string) bool {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	first, rest, deeper := strings.Cut(key, ".")
	switch t.Kind() {
	case reflect.Map:
		return key != ""
	case reflect.Struct:
	default:
		return false
	}
	for field := range t.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case name == "" && field.Anonymous:
			if isKey(field.Type, key) {
				return true
			}
		case name != first || name == "":
		case !deeper:
			return true
		default:
			return isKey(field.Type, rest)
		}
	}
	return false
}
