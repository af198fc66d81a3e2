package server

import (
	"cmp"
	"fmt"
)

// MarshalText returns the word for e; that of Auto is "auto".
func (e Engine) MarshalText() ([]byte, error) { return []byte(cmp.Or(e, "auto")), nil }

// UnmarshalText takes epoll, goroutine or auto. Whether this system has the
// engine is for Config.Validate to say.
func (e *Engine) UnmarshalText(text []byte) error {
	switch word := Engine(text); word {
	case Epoll, Goroutine:
		*e = word
	case "auto":
		*e = Auto
	default:
		return fmt.Errorf("server: unknown engine %q: use epoll, goroutine or auto", text)
	}
	return nil
}
