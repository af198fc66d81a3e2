package flags

import (
	"encoding"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"example.org/comet/flood"
)

// String adds a flag for a text. An empty one is refused: it would silently mean
// the default.
func String[T ~string](fs *pflag.FlagSet, field *T, name, short string, def T, usage string) {
	bind(fs, field, name, short, def, usage, kind[T]{
		name: "string",
		parse: func(s string) (T, error) {
			if s == "" {
				return "", fmt.Errorf("%q is empty: give a value, or leave --%s out", s, name)
			}
			return T(s), nil
		},
		format: func(s T) string { return string(s) },
	})
}

// Pattern adds --match, a regular expression.
func Pattern(fs *pflag.FlagSet, field *string, usage string) {
	bind(fs, field, "match", "", "", usage, kind[string]{
		name: "string",
		parse: func(s string) (string, error) {
			if s == "" {
				return "", fmt.Errorf("%q is empty: give a value, or leave --match out", s)
			}
			_, err := regexp.Compile(s)
			if wrong, ok := errors.AsType[*syntax.Error](err); ok {
				return "", fmt.Errorf("%q is not a regular expression: %s: `%s`", s, wrong.Code, wrong.Expr)
			}
			return s, err
		},
		format: func(s string) string { return s },
	})
}

// URL adds a flag for a URL, which must have a scheme.
func URL(fs *pflag.FlagSet, field *string, name, def, usage string) {
	bind(fs, field, name, "", def, usage, kind[string]{
		name:   "string",
		parse:  func(s string) (string, error) { return s, CheckURL(s) },
		format: func(s string) string { return s },
	})
}

// CheckURL refuses a URL without a scheme and says how to write it.
func CheckURL(s string) error { return checkScheme(s, "http") }

func checkScheme(s, scheme string) error {
	switch {
	case s == "":
		return fmt.Errorf("the URL is empty: write %s://host:port/path", scheme)
	case strings.Contains(s, "://"):
		return nil
	}
	return fmt.Errorf("%q has no scheme: write %s://%s", s, scheme, strings.TrimLeft(s, "/:"))
}

// Enum adds a flag that takes one of values.
func Enum[T ~string](fs *pflag.FlagSet, field *T, name string, def T, usage string, values ...T) {
	f := bind(fs, field, name, "", def, usage, kind[T]{
		name: "string",
		parse: func(s string) (T, error) {
			for _, v := range values {
				if s == string(v) {
					return v, nil
				}
			}
			return "", unknown(s, texts(values)...)
		},
		format: func(v T) string { return string(v) },
	})
	offer(f, texts(values)...)
}

const valuesAnnotation = "comet_values"

// offer makes shells complete the value of a flag with these.
func offer(f *pflag.Flag, values ...string) {
	f.Annotations = map[string][]string{valuesAnnotation: values}
}

// ValuesOf returns the values that a shell offers for a flag, nil if there are none.
func ValuesOf(f *pflag.Flag) []string { return f.Annotations[valuesAnnotation] }

func texts[T ~string](values []T) []string {
	all := make([]string, len(values))
	for i, v := range values {
		all[i] = string(v)
	}
	return all
}

// unknown returns the error for a word that is not one of a few.
func unknown(word string, values ...string) error {
	if near := Nearest(word, values); near != "" {
		return fmt.Errorf("%q is unknown: did you mean %s? use %s", word, near, or(values))
	}
	return fmt.Errorf("%q is unknown: use %s", word, or(values))
}

// or writes a, b or c.
func or(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// grammar returns the kind of a type that reads and writes its own text.
func grammar[T any, P interface {
	*T
	encoding.TextUnmarshaler
	encoding.TextMarshaler
}](name string) kind[T] {
	return kind[T]{
		name: name,
		parse: func(s string) (v T, err error) {
			err = P(&v).UnmarshalText([]byte(s))
			return v, err
		},
		format: func(v T) string {
			text, err := P(&v).MarshalText()
			if err != nil {
				return "" // a value that no text stands for: the default
			}
			return string(text)
		},
	}
}

// Share adds a flag that takes 1%.
func Share(fs *pflag.FlagSet, field *flood.Share, name string, def flood.Share, usage string) {
	bind(fs, field, name, "", def, usage, grammar[flood.Share]("share"))
}

// Sources adds --source-ip.
func Sources(fs *pflag.FlagSet, field *[]netip.Addr, usage string) {
	bindList(fs, field, "source-ip", "", usage, "address",
		func(s string) ([]netip.Addr, error) { return flood.ParseSources([]string{s}) },
		FormatSources)
}

// FormatSources writes addresses as ParseSources of package flood reads them,
// with what lies in a row as a range.
func FormatSources(addrs []netip.Addr) (all []string) {
	for i := 0; i < len(addrs); {
		first, last := addrs[i], addrs[i]
		for i++; i < len(addrs) && addrs[i] == last.Next(); i++ {
			last = addrs[i]
		}
		if first == last {
			all = append(all, first.String())
		} else {
			all = append(all, first.String()+"-"+last.String())
		}
	}
	return all
}

// idRange is --ids: the first and the last id, which are two fields.
type idRange struct{ first, last *int64 }

// IDs adds --ids.
func IDs(fs *pflag.FlagSet, first, last *int64, usage string) {
	fs.Var(&idRange{first, last}, "ids", usage)
}

func (r *idRange) Type() string { return "string" }

func (r *idRange) String() string {
	if r.last == nil || *r.last == 0 {
		return ""
	}
	return strconv.FormatInt(*r.first, 10) + "-" + strconv.FormatInt(*r.last, 10)
}

func (r *idRange) Set(text string) error {
	from, to, isRange := strings.Cut(text, "-")
	if !isRange {
		to = from
	}
	first, err := ParseCount(from)
	var last int64
	if err == nil {
		last, err = ParseCount(to)
	}
	if err != nil || last < first || last == 0 {
		return fmt.Errorf("%q is not a range of ids: write FIRST-LAST, such as 1-10000", text)
	}
	*r.first, *r.last = first, last
	return nil
}

// PIDs adds --pid.
func PIDs(fs *pflag.FlagSet, field *[]int32, usage string) {
	List(fs, field, "pid", usage,
		func(s string) (int32, error) {
			n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 32)
			if err != nil || n < 1 {
				return 0, fmt.Errorf("%q is not a process id: write a whole number from 1", s)
			}
			return int32(n), nil
		},
		func(n int32) string { return strconv.Itoa(int(n)) }).DefValue = ""
}
