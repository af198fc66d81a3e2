package bench

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"example.org/comet/cmd/internal/flags"
	"example.org/comet/server/subscriptions"
)

// Graph is who follows whom in an experiment with events.
type Graph struct {
	// File is a file of subscriptions, which is only read. If it is "", a graph is made
	// like Made, for the experiment alone and of its Seed.
	File string
	Made subscriptions.Graph
}

const makeGraph = "generate"

// ParseGraph reads FILE, or generate:users=100k,mean=50,exponent=2.5, in which each
// part may be left out.
func ParseGraph(text string) (*Graph, error) {
	name, list, _ := strings.Cut(text, ":")
	if name != makeGraph {
		return &Graph{File: text}, nil
	}
	g := subscriptions.Graph{}
	for part := range strings.SplitSeq(list, ",") {
		key, value, _ := strings.Cut(part, "=")
		var err error
		zero := false // 0 would stand for the default
		switch {
		case list == "":
		case key == "users" && g.Users == 0:
			g.Users, err = flags.ParseCount(value)
			zero = g.Users == 0
		case key == "mean" && g.Mean == 0:
			g.Mean, err = parseNumber(value)
			zero = g.Mean == 0
		case key == "exponent" && g.Exponent == 0:
			g.Exponent, err = parseNumber(value)
			zero = g.Exponent == 0
		default:
			err = fmt.Errorf("write it as generate:users=100k,mean=50,exponent=2.5, each once or not at all, or name a file")
		}
		if err == nil && zero {
			err = errors.New("it must be more than 0")
		}
		if err != nil {
			return nil, fmt.Errorf("%q in %q: %w", part, text, err)
		}
	}
	g.Users, g.Mean, g.Exponent = cmp.Or(g.Users, 100_000), cmp.Or(g.Mean, 50), cmp.Or(g.Exponent, 2.5)
	if err := g.Validate(); err != nil {
		return nil, fmt.Errorf("%q: %s", text, strings.TrimPrefix(err.Error(), "subscriptions: "))
	}
	return &Graph{Made: g}, nil
}

// parseNumber reads a number such as 50 or 2.5.
func parseNumber(s string) (float64, error) {
	n, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a number: write one such as 50 or 2.5", s)
	}
	return n, nil
}

// validate returns what is wrong with the graph, for the experiment of cfg.
func (g *Graph) validate(cfg *Config) error {
	switch {
	case g == nil:
	case cfg.Target != nil:
		return fmt.Errorf("bench: who follows whom is a setting of our own server, and another one is to be measured")
	case cfg.Nodes > 0 || cfg.Router.Given():
		return fmt.Errorf("bench: events to followers are measured with one server and no router: leave the nodes and the router out, or the subscriptions")
	case cfg.subscribers() > 1:
		return fmt.Errorf("bench: an event goes to followers and a message to a room: leave out the subscriptions, or the subscribers per id")
	case cfg.Streams.Users != nil:
		return fmt.Errorf("bench: the users and the subscriptions both say who connects: leave one of them out")
	case g.File == "":
		if most := max(cfg.Connections, last(cfg.Steps)); int64(most) > g.Made.Users {
			return fmt.Errorf("bench: %d connections of %d users, each of whom has one: open fewer, or make a graph of more (generate:users=%d)", most, g.Made.Users, most)
		}
	}
	return nil
}

// last returns the last number of a list, 0 if it has none.
func last(list []int) int {
	if len(list) == 0 {
		return 0
	}
	return list[len(list)-1]
}
