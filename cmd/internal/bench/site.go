package bench

import (
	"context"
	"time"

	"example.org/comet/cmd/internal/fleet"
	"example.org/comet/cmd/internal/probe"
	"example.org/comet/cmd/internal/result"
	"example.org/comet/sysctl"
)

// site is where the servers are that an experiment is about: our own, started for
// a run, or one that is there already. It serves one run after the other.
type site interface {
	// label names the site in the name of a folder.
	label() string
	// arrange returns the processes for cfg, on a machine like this one.
	arrange(cfg *Config, system sysctl.System) *plan
	// resize adapts the plan, whose servers are there, to the connections of cfg.
	resize(p *plan, cfg *Config)
	// open begins a run. It finds servers that are there already, and starts what our
	// own need before they can be started.
	open(ctx context.Context, r *run) error
	// serve has the servers of the first pairs running, warmed up and in the memory log.
	// It returns how many it has started for that.
	serve(ctx context.Context, pairs int) (started int, err error)
	// streams returns the URL of the streams of flood i, or else their URLs.
	streams(i int) (url string, urls []string)
	// publisher returns the arguments by which a generator finds where messages go.
	publisher() []string
	// members returns the servers and what they need, those that may be measured.
	members(since time.Time) []member
	// await waits until the servers can be measured as they are since a moment.
	await(ctx context.Context, since time.Time) error
	// traffic returns what the servers say of their messages, nil if they say
	// nothing.
	traffic(ctx context.Context) (*traffic, error)
	// collect has the servers free what they can, and returns the memory left to
	// each, of those that can do this.
	collect(ctx context.Context) (map[probe.Part]result.Figure, error)
	// gone returns an error once the servers have ended on their own.
	gone() error
	// hung returns an error that names a server that does not answer.
	hung(ctx context.Context) error
	// close ends a run: it returns what was wrong with the site, a sentence each.
	close() []string
	// leave frees what the site holds between runs.
	leave()
}

// member is a part that is measured.
type member struct {
	probe.Part
	read    probe.Reading
	process *fleet.Process // nil if it is not ours
	pid     result.Figure
}

// ours returns the member that a process of the fleet is.
func ours(role string, number int, p *fleet.Process) member {
	return member{Part: probe.Part{Role: role, Number: number}, read: probe.Process(p.PID), process: p, pid: result.Of(p.PID)}
}

// terms say how the figures are to be read, with the servers of a site.
type terms struct {
	// engine is how our own servers hold connections, target the host of a server
	// that is not ours.
	engine, target string
	// fresh: the servers are started for each run.
	fresh bool
	// here: the servers share this machine's kernel.
	here bool
	// counted: the servers say how many messages they routed, dropped, and had
	// nobody for.
	counted bool
	// blocks: each message is at exactly one server, which says whether it had
	// somebody for it.
	blocks bool
	// everywhere: each message is at every server, whoever it is for.
	everywhere bool
	// each is for how many connections every message is, once all are there; 0 if
	// that is not the same for all.
	each int
	// posted: each message is a request by itself, which waits for an answer.
	posted bool
	// loops is how many event loops each server has, 0 if nothing is known.
	loops int
}
