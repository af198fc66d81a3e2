package bench

import (
	"fmt"
	"strconv"

	"example.org/comet/cmd/internal/result"
)

// rate is how many messages a second are sent: a number, none at all, or as many
// as the window allows.
type rate struct {
	none, max bool
	perSecond result.Figure // of a number
}

func parseRate(text string) (rate, error) {
	switch text {
	case "none":
		return rate{none: true}, nil
	case "max":
		return rate{max: true}, nil
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || n <= 0 {
		return rate{}, fmt.Errorf("bench: a rate of %q: use messages per second, max or none", text)
	}
	return rate{perSecond: result.Of(n)}, nil
}
