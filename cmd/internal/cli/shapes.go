package cli

import "example.org/comet/msggen"

// shaped is a flag value of the form NAME or NAME:PARAMETERS.
type shaped[T any] struct {
	value T
	text  string
	parse func(string) (T, error)
}

func newShaped[T any](text string, parse func(string) (T, error)) shaped[T] {
	return shaped[T]{text: text, parse: parse}
}

func (s *shaped[T]) String() string { return s.text }
func (s *shaped[T]) Type() string   { return "shape" }

func (s *shaped[T]) Set(text string) error {
	value, err := s.parse(text)
	if err == nil {
		s.value, s.text = value, text
	}
	return err
}

func parseDistribution(s string) (d msggen.Distribution, err error) {
	err = d.UnmarshalText([]byte(s))
	return d, err
}

func parseArrivals(s string) (a msggen.Arrivals, err error) {
	err = a.UnmarshalText([]byte(s))
	return a, err
}

func parseMessageSize(s string) (z msggen.Size, err error) {
	err = z.UnmarshalText([]byte(s))
	return z, err
}
