package bench

import (
	"cmp"
	"errors"
	"fmt"
	"io"

	"example.org/comet/flood"
	"example.org/comet/msggen"
)

// Target is a server that is not ours: it runs already, and runs on when the
// experiment has ended. Only a URL must be set.
type Target struct {
	// URL is where its streams are, with {id} in it. URLs, if not empty, are the
	// streams instead, one connection each in turn.
	URL  string
	URLs []string
	// FirstID and LastID are the ids for {id}, which the connections take in
	// turn. 0 and 0 are as many as there are connections, from 1.
	FirstID, LastID int64
	// FirstMessageID and LastMessageID are the lowest and the highest id that get
	// messages, 0 that of the connections.
	FirstMessageID, LastMessageID int64
	// Publish is where messages go; nil sends none.
	Publish *msggen.PublishConfig
	// PIDs or Match are its processes, if it runs on this machine, as `comet
	// memlog` takes them. Log is a memory log of it, which grows during the
	// experiment: a file, or "-" for Stdin. Without any of the three its memory
	// and its processor time stay unknown.
	PIDs  []int32
	Match string
	Log   string
	Stdin io.Reader
}

// site returns the site of the target, or of our own servers if it is nil.
func (t *Target) site(cfg *Config) (site, error) {
	if t == nil {
		return newOwn(cfg), nil
	}
	return newForeign(cfg)
}

// validate returns what is wrong with the target, for the connections of cfg.
func (t *Target) validate(cfg *Config) error {
	if t == nil {
		return nil
	}
	errs := []error{t.floodConfig(cfg).Validate()}
	bad := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf("bench: "+format, args...))
		}
	}
	bad(cfg.Engine != "" || cfg.Loops != 0 || cfg.Nodes != 0 || cfg.Router.Given(), "engine, loops, nodes and router are settings of our own server, and another one is to be measured")
	if t.Publish != nil {
		errs = append(errs, t.Publish.Validate())
	}
	bad(t.Publish == nil && cfg.Rate != 0, "there is nowhere to send messages to: say where they are published, or send none")
	witnesses := 0
	for _, given := range []bool{len(t.PIDs) > 0, t.Match != "", t.Log != ""} {
		if given {
			witnesses++
		}
	}
	bad(witnesses > 1, "the server is measured by its pid, by a pattern, or by a log from its own host: choose one of them")
	first, last := t.messageIDs(max(cfg.Connections, 1))
	bad(last < first, "messages to ids %d to %d are for nobody: the lower one comes first", first, last)
	return errors.Join(errs...)
}

// floodConfig returns a flood of the target by all connections.
func (t *Target) floodConfig(cfg *Config) flood.Config {
	streams := cfg.Streams
	streams.URL, streams.URLs, streams.Connections, streams.FirstID, streams.LastID = t.URL, t.URLs, cfg.Connections, t.FirstID, t.LastID
	return streams
}

// String returns where the target is.
func (t *Target) String() string {
	if len(t.URLs) > 0 {
		return fmt.Sprintf("%s and %d more", t.URLs[0], len(t.URLs)-1)
	}
	return t.URL
}

// ids returns how many ids the connections have.
func (t *Target) ids(connections int) int64 {
	if t.LastID == 0 {
		return int64(connections)
	}
	return min(t.LastID-t.first()+1, int64(connections))
}

// first returns the first id of the connections.
func (t *Target) first() int64 {
	if t.LastID == 0 {
		return max(t.FirstID, 1)
	}
	return t.FirstID
}

// messageIDs returns the ids that get messages.
func (t *Target) messageIDs(connections int) (first, last int64) {
	first, last = t.first(), t.first()+t.ids(connections)-1
	return cmp.Or(t.FirstMessageID, first), cmp.Or(t.LastMessageID, last)
}

// each returns for how many connections every message is, 0 if that is not the
// same for all. In each of the pairs connections take the ids in turn, from the
// first one.
func (t *Target) each(cfg *Config, pairs []pair) (n int) {
	connections := cfg.Connections
	ids := t.ids(connections)
	first, last := t.messageIDs(connections)
	if len(t.URLs) > 0 || !t.floodConfig(cfg).SaysID() || first < t.first() || last >= t.first()+ids {
		return 0
	}
	if ids == int64(connections) {
		return 1
	}
	for _, one := range pairs {
		if int64(one.connections)%ids != 0 {
			return 0
		}
		n += one.connections / int(ids)
	}
	return n
}
