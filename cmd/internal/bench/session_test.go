package bench

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"example.org/comet/cmd/internal/fleet"
	"example.org/comet/cmd/internal/result"
	"example.org/comet/flood"
)

// segments returns floods of a session, each with all its connections: 0-10 stands for
// the first ten.
func segments(t *testing.T, spans ...string) (list []*segment) {
	t.Helper()
	for _, span := range spans {
		one := &segment{floodPart: &floodPart{Process: new(fleet.Process)}}
		if _, err := fmt.Sscanf(span, "%d-%d", &one.from, &one.to); err != nil {
			t.Fatal(err)
		}
		one.live.Store(&flood.Sample{Counts: flood.Counts{Connected: one.to - one.from}})
		list = append(list, one)
	}
	return list
}

func TestSessionGaps(t *testing.T) {
	for _, c := range []struct {
		name        string
		connections int
		there       []string
		want        string
	}{
		{"nothing is there", 25, nil, "0-10 10-20 20-25"},
		{"some are", 25, []string{"0-10", "10-15"}, "15-20 20-25"},
		{"one is missing", 25, []string{"0-10", "12-20", "20-25"}, "10-12"},
		{"the first", 8, []string{"4-8"}, "0-4"},
		{"all are there", 8, []string{"0-4", "4-8"}, ""},
		{"more than there are pairs for", 40, []string{"0-10"}, "10-20 20-30"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, _ := onStage(t, new(stage))
			r.plan = &plan{connections: min(c.connections, 30), pairs: []pair{{connections: 10}, {connections: 10}, {connections: 10}}}
			s := &Session{run: r, plan: r.plan}
			s.set(segments(t, c.there...))
			var got []string
			for _, one := range s.missing() {
				got = append(got, fmt.Sprintf("%d-%d", one.from, one.to))
			}
			if text := strings.Join(got, " "); text != c.want {
				t.Errorf("missing are %q, want %q", text, c.want)
			}
		})
	}
}

func TestPartOfAPair(t *testing.T) {
	rooms := spread(100, 7, 1)[0]
	for _, c := range []struct {
		name        string
		subscribers int
		one         pair
		from, to    int
		want        pair
	}{
		{"an id each", 1, pair{firstID: 1024, connections: 100}, 10, 30, pair{firstID: 1034, connections: 20}},
		{"ids in turn", 1, pair{firstID: 5, ids: 3, connections: 100}, 10, 30, pair{firstID: 5, ids: 3, connections: 20}},
		{"rooms", 7, rooms, 10, 30, pair{firstID: 2, skip: 3, ids: 4, connections: 20}},
		{"rooms behind another pair", 7, pair{firstID: 3, skip: 2, ids: 20, connections: 100}, 10, 30, pair{firstID: 4, skip: 5, ids: 4, connections: 20}},
	} {
		p := &plan{subscribers: c.subscribers}
		got := p.part(c.one, c.from, c.to)
		if got.firstID != c.want.firstID || got.skip != c.want.skip || got.ids != c.want.ids || got.connections != c.want.connections {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestSessionRefuses(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"a ramp":        func(c *Config) { c.Streams.Ramp = "10s" },
		"a storm":       func(c *Config) { c.Streams.Storm = flood.Storm{Share: 1} },
		"several URLs":  func(c *Config) { c.Target = &Target{URLs: []string{"http://127.0.0.1:1/a"}} },
		"subscriptions": func(c *Config) { c.Graph = &Graph{File: "friends"} },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t)
			change(&cfg)
			if cfg.Target != nil {
				cfg.Engine = ""
			}
			folder, err := Explore(t.Context(), cfg, func(context.Context, *Session) error { return errors.New("it was let pass") })
			if err == nil || folder != "" || strings.Contains(err.Error(), "let pass") {
				t.Errorf("%q, %v; want it refused before anything starts", folder, err)
			}
		})
	}
}

func TestMemoryOfFewerConnections(t *testing.T) {
	s := new(Session)
	for _, c := range []struct {
		connections int
		known       bool
	}{{100, true}, {200, true}, {150, false}, {200, true}} {
		r := new(result.Result)
		r.Connections.Established, r.Memory.BytesPerConnection = result.Of(c.connections), result.Of(70)
		s.used(r)
		if _, known := r.Memory.BytesPerConnection.Value(); known != c.known || known == (len(r.Notes) > 0) {
			t.Errorf("with %d connections: %+v, %q", c.connections, r.Memory.BytesPerConnection, r.Notes)
		}
	}
}
