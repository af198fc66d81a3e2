package flags

import (
	"encoding/csv"
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// kind is how the text of a flag becomes a T, and the reverse.
type kind[T any] struct {
	name   string
	parse  func(string) (T, error)
	format func(T) string
}

// value is a flag that writes into a field. A field that is zero reads as the
// default.
type value[T comparable] struct {
	kind[T]
	field *T
	def   T
}

// bind adds a flag for field and sets it to its default.
func bind[T comparable](fs *pflag.FlagSet, field *T, name, short string, def T, usage string, k kind[T]) *pflag.Flag {
	*field = def
	return fs.VarPF(&value[T]{k, field, def}, name, short, usage)
}

func (v *value[T]) Type() string { return v.name }

func (v *value[T]) String() string {
	var zero T
	if v.field == nil || *v.field == zero {
		return v.format(v.def)
	}
	return v.format(*v.field)
}

func (v *value[T]) Set(text string) error {
	x, err := v.parse(text)
	if err == nil {
		*v.field = x
	}
	return err
}

// list is a repeatable flag whose values are appended to a field.
type list[T any] struct {
	name   string
	field  *[]T
	parse  func(string) ([]T, error)
	format func([]T) []string // each as parse reads it
}

// bindList adds a repeatable flag for field.
func bindList[T any](fs *pflag.FlagSet, field *[]T, name, short, usage, kind string, parse func(string) ([]T, error), format func([]T) []string) *pflag.Flag {
	*field = nil
	return fs.VarPF(&list[T]{name: kind, field: field, parse: parse, format: format}, name, short, usage)
}

func (l *list[T]) Type() string { return l.name }

func (l *list[T]) String() string {
	if l.field == nil {
		return "[]"
	}
	return "[" + strings.Join(l.format(*l.field), ",") + "]"
}

func (l *list[T]) Set(text string) error {
	items, err := l.parse(text)
	if err == nil {
		*l.field = append(*l.field, items...)
	}
	return err
}

// GetSlice, Append and Replace make a [pflag.SliceValue] of it.
func (l *list[T]) GetSlice() []string       { return l.format(*l.field) }
func (l *list[T]) Append(text string) error { return l.Set(text) }

func (l *list[T]) Replace(texts []string) error {
	*l.field = nil
	for _, text := range texts {
		if err := l.Set(text); err != nil {
			return err
		}
	}
	return nil
}

// Lines adds a repeatable flag, each value of which is one element, whatever is
// in it.
func Lines(fs *pflag.FlagSet, field *[]string, name, short, usage string) {
	bindList(fs, field, name, short, usage, "text",
		func(s string) ([]string, error) { return []string{s}, nil },
		func(all []string) []string { return all })
}

// List adds a repeatable flag of several elements with commas between them. An
// element with a comma or a quotation mark is quoted as in CSV.
func List[T any](fs *pflag.FlagSet, field *[]T, name, usage string, parse func(string) (T, error), format func(T) string) *pflag.Flag {
	return bindList(fs, field, name, "", usage, "list",
		func(s string) ([]T, error) {
			texts, err := splitList(s)
			if err != nil {
				return nil, err
			}
			var all []T
			for _, text := range texts {
				one, err := parse(text)
				if err != nil {
					return nil, err
				}
				all = append(all, one)
			}
			return all, nil
		},
		func(all []T) []string {
			texts := make([]string, len(all))
			for i, one := range all {
				texts[i] = quoteElement(format(one))
			}
			return texts
		})
}

func splitList(s string) ([]string, error) {
	if s == "" {
		return nil, fmt.Errorf("%q names nothing", s)
	}
	in := csv.NewReader(strings.NewReader(s))
	texts, err := in.Read()
	if err != nil {
		return nil, fmt.Errorf("%q is not a list: write its elements with commas between them: %w", s, err)
	}
	return texts, nil
}

func quoteElement(s string) string {
	var b strings.Builder
	out := csv.NewWriter(&b)
	_ = out.Write([]string{s}) // a Builder takes everything
	out.Flush()
	return strings.TrimSuffix(b.String(), "\n")
}
