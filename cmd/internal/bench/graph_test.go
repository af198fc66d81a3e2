package bench

import (
	"strings"
	"testing"

	"example.org/comet/cmd/internal/flags"
	"example.org/comet/flood/users"
	"example.org/comet/server/subscriptions"
)

func TestParseGraph(t *testing.T) {
	for text, want := range map[string]Graph{
		"friends.db":                            {File: "friends.db"},
		"a/generate.db":                         {File: "a/generate.db"},
		"generate":                              {Made: subscriptions.Graph{Users: 100_000, Mean: 50, Exponent: 2.5}},
		"generate:":                             {Made: subscriptions.Graph{Users: 100_000, Mean: 50, Exponent: 2.5}},
		"generate:exponent=3,users=1M,mean=1.5": {Made: subscriptions.Graph{Users: 1_000_000, Mean: 1.5, Exponent: 3}},
	} {
		if got, err := ParseGraph(text); err != nil || *got != want {
			t.Errorf("%s: %+v, %v, want %+v", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"generate:men=5":             `"men=5" in "generate:men=5": write it as generate:users=100k`,
		"generate:mean=5,":           `"" in "generate:mean=5,": write it as`,
		"generate:mean=5,mean=6":     `"mean=6" in`,
		"generate:users=many":        `"users=many" in "generate:users=many": "many" is not a count`,
		"generate:mean=x":            `"mean=x" in "generate:mean=x": "x" is not a number`,
		"generate:users=10,mean=5":   `a mean of 5 followers among 10 users: use 1 to 4.5`,
		"generate:exponent=2,mean=5": `exponent 2: use more than 2, up to 10`,
	} {
		if got, err := ParseGraph(text); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "subscriptions:") {
			t.Errorf("%s: %+v, %v, want %q", text, got, err, want)
		}
	}
}

func TestGraphBesideTheOtherSettings(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"all is well":          {func(*Config) {}, ""},
		"nodes":                {func(c *Config) { c.Nodes = 1 }, "with one server and no router"},
		"a router":             {func(c *Config) { c.Router = flags.Router{URLs: []string{"nats://r"}} }, "with one server and no router"},
		"rooms":                {func(c *Config) { c.Streams.Subscribers = 5 }, "a message to a room"},
		"users":                {func(c *Config) { c.Streams.Users = new(users.Table) }, "both say who connects"},
		"another server":       {func(c *Config) { c.Target = &Target{URL: "http://h/{id}"} }, "is a setting of our own server"},
		"few users":            {func(c *Config) { c.Graph.Made.Users = 9 }, "10 connections of 9 users"},
		"few users for a step": {func(c *Config) { c.Steps = []int{10, 200_000} }, "200000 connections of 100000 users"},
		"a file":               {func(c *Config) { c.Graph = &Graph{File: "none.db"} }, ""},
	} {
		cfg := config(t)
		var err error
		if cfg.Graph, err = ParseGraph("generate"); err != nil {
			t.Fatal(err)
		}
		c.change(&cfg)
		if err := cfg.Graph.validate(&cfg); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
