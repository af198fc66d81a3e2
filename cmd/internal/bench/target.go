package bench

import (
	"cmp"
	"errors"
	"fmt"
	"io"

	"example.org/comet/flood"
	"example.org/comet/flood/users"
	"example.org/comet/msggen"
	"example.org/comet/server/wire"
)

// Target is a server that is not ours: it runs already, and runs on when the
// experiment has ended. Only a URL must be set.
type Target struct {
	// URL is where its streams are, with {id} in it. URLs, if not empty, are the
	// streams instead, one connection each in turn.
	URL  string
	URLs []string
	// FirstID and LastID are the ids for {id}, or the rows of the users, which the
	// connections take in turn. 0 and 0 are as many as there are connections, from 1.
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
		err := t.Publish.Validate()
		bad(err != nil, "--publish: %w", err)
	}
	bad(t.Publish == nil && cfg.Rate != 0, "there is nowhere to send messages to: say where they are published, or send none")
	witnesses := 0
	for _, given := range []bool{len(t.PIDs) > 0, t.Match != "", t.Log != ""} {
		if given {
			witnesses++
		}
	}
	bad(witnesses > 1, "the server is measured by its pid, by a pattern, or by a log from its own host: choose one of them")
	first, last := t.messageIDs(max(cfg.rooms(), 1))
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
		return fmt.Sprintf("%s and %d more", wire.ShowURL(t.URLs[0]), len(t.URLs)-1)
	}
	return wire.ShowURL(t.URL)
}

// ids returns how many ids the connections have, which are in so many rooms.
func (t *Target) ids(rooms int) int64 {
	if t.LastID == 0 {
		return int64(rooms)
	}
	return min(t.LastID-t.first()+1, int64(rooms))
}

// first returns the first id of the connections.
func (t *Target) first() int64 {
	if t.LastID == 0 {
		return max(t.FirstID, 1)
	}
	return t.FirstID
}

// messageIDs returns the ids that get messages.
func (t *Target) messageIDs(rooms int) (first, last int64) {
	first, last = t.first(), t.first()+t.ids(rooms)-1
	return cmp.Or(t.FirstMessageID, first), cmp.Or(t.LastMessageID, last)
}

// each returns for how many connections every message is, 0 if that is not the
// same for all, or not known. In each of the pairs connections take the ids in
// turn, from the first one.
func (t *Target) each(cfg *Config, pairs []pair) (n int) {
	rooms, table := cfg.rooms(), cfg.Streams.Users
	ids := t.ids(rooms)
	first, last := t.messageIDs(rooms)
	switch {
	case cfg.subscribers() > 1 && rooms == 1 && len(t.URLs) == 0 && first == last && first == t.first():
		return cfg.Connections // whatever its name is
	case len(t.URLs) > 0, !t.floodConfig(cfg).SaysID(), first < t.first(), last >= t.first()+ids:
		return 0
	case t.Publish != nil && !t.Publish.SaysID(): // to a room, say
		return 0
	case table != nil:
		return t.eachUser(table, pairs, cfg.subscribers(), first, last)
	case ids == int64(rooms):
		return cfg.subscribers()
	}
	for _, one := range pairs {
		if int64(one.connections)%ids != 0 {
			return 0
		}
		n += one.connections / int(ids)
	}
	return n
}

// eachUser is each where users connect, of whom several rows may be one.
func (t *Target) eachUser(table *users.Table, pairs []pair, subscribers int, first, last int64) (n int) {
	who := func(id int64) int64 {
		if !table.HasID() {
			return id
		}
		return int64(table.First(table.Row(id)))
	}
	if !table.HasID() && last-first >= int64(table.Len()) {
		return 0 // several ids have a row together
	}
	connected := make(map[int64]int)
	for _, one := range pairs {
		for i := range one.connections {
			room := int64((one.skip + i) / subscribers)
			connected[who(one.firstID+room%(one.lastID()-one.firstID+1))]++
		}
	}
	n = connected[who(first)]
	for id := first; id <= last; id++ {
		if connected[who(id)] != n {
			return 0
		}
	}
	return n
}
