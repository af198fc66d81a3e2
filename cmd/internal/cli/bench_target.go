package cli

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"

	"github.com/spf13/pflag"

	"example.org/comet/cmd/internal/bench"
	"example.org/comet/cmd/internal/flags"
	"example.org/comet/flood/users"
	"example.org/comet/msggen"
)

// benchTarget are the flags of bench about a server that is not ours.
type benchTarget struct {
	Target  bench.Target
	URLFile string
	Publish msggen.PublishConfig
}

func (b *benchTarget) bind(f *pflag.FlagSet) {
	flags.Group(f, flags.Target, func() {
		flags.URL(f, &b.Target.URL, "url", "", "measure a server that is there already: the `URL` of its streams, with {id} in it")
		flags.String(f, &b.URLFile, "urls", "", "", "the same with a `file` of URLs, one connection each in turn; - is standard input")
		flags.PIDs(f, &b.Target.PIDs, "with --url: measure the processes `N[,N...]` of this machine and their descendants")
		flags.Pattern(f, &b.Target.Match, "with --url: measure the process whose command line matches the regular expression `PATTERN`, and its descendants")
		flags.String(f, &b.Target.Log, "server-log", "", "", "with --url: a memory log that grows meanwhile, from the server's own host: a `FILE`, or - for standard input (see comet memlog)")
		flags.URL(f, &b.Publish.URL, "publish", "", "with --url: the `URL` to send each message to by itself, with {id} in it (see comet msggen)")
		flags.Publish(f, &b.Publish, "publish-header", "", "with --publish: request header `\"Name: value\"`; repeatable (msggen's --header; -H goes to the streams)")
		flags.Count(f, &b.Target.FirstMessageID, "first-id", "", 0, "with --publish: the lowest id that gets messages (default: the connections' first)", flags.Least(1))
		flags.Count(f, &b.Target.LastMessageID, "max-id", "", 0, "with --publish: the highest id that gets messages (default: the connections' last)", flags.Least(1))
	})
}

var (
	// targetFlags mean nothing without --url.
	targetFlags = []string{"ids", "match", "pid", "preset", "publish", "server-log"}
	// publishOnly mean nothing without --publish.
	publishOnly = append(flags.PublishOnly(), "publish-header", "first-id", "max-id")
	// ownServerFlags say how our server is run, which another is not.
	ownServerFlags = []string{"engine", "loops", "tls", "nodes", "interest", "listen", "subscriptions"}
	// routerFlags lead our server to its router, or this bench to its agents.
	routerFlags = []string{"router", "router-credentials", "router-ca", "router-cert", "router-key", "subject-prefix"}
	// messageFlags say how messages are sent.
	messageFlags = []string{"duration", "senders", "distribution", "arrivals", "size", "seed", "window"}
)

// complete gives o.Config its target, if there is one.
func (b *benchTarget) complete(env *Env, f *pflag.FlagSet, o *benchOptions) (err error) {
	foreign := b.Target.URL != "" || b.URLFile != ""
	if err := checkBenchUsers(f, o.Config.Streams.Users, foreign); err != nil {
		return err
	}
	if name := flags.FirstGiven(f, targetFlags...); name != "" && !foreign {
		return fmt.Errorf("--%s is about a server that is there already: say where its streams are (--url)", name)
	}
	if name := flags.FirstGiven(f, publishOnly...); name != "" && b.Publish.URL == "" {
		return fmt.Errorf("--%s is for --publish, which is not given", name)
	}
	if !foreign {
		return nil
	}
	refused := ownServerFlags
	if !o.Config.Agents.Given() {
		refused = slices.Concat(refused, routerFlags)
	}
	if name := flags.FirstGiven(f, refused...); name != "" {
		return fmt.Errorf("--%s is a setting of comet's own server, and --url names another: leave one of them out", name)
	}
	if err = b.readStreams(env, f, o); err != nil {
		return err
	}
	if b.Target.Log == "-" {
		b.Target.Stdin = env.Stdin
	}
	o.Config.Target, o.Config.Engine = &b.Target, ""
	if b.Publish.URL != "" {
		b.Target.Publish = &b.Publish
		b.Publish.Users = o.Config.Streams.Users
		b.Publish.Resolve = o.Config.Streams.Resolve
		b.Publish.TLS, err = o.Config.Streams.TLS.Config()
		return err
	}
	if f.Changed("rate") && o.Config.Rate != 0 {
		return fmt.Errorf("--rate %v: say where messages go: --publish URL", o.Config.Rate)
	}
	if name := flags.FirstGiven(f, messageFlags...); name != "" {
		return fmt.Errorf("--%s is about messages: say where they go: --publish URL", name)
	}
	o.Config.Rate = 0
	return nil
}

// readStreams reads URLs and ids, of which there are as many connections unless
// their number was given.
func (b *benchTarget) readStreams(env *Env, f *pflag.FlagSet, o *benchOptions) (err error) {
	if b.URLFile == "-" && b.Target.Log == "-" {
		return errors.New("--urls and --server-log cannot both be standard input")
	}
	if b.URLFile != "" {
		if b.Target.URLs, err = flags.ReadURLs(b.URLFile, env.Stdin); err != nil {
			return err
		}
	}
	b.Target.FirstID, b.Target.LastID = o.Config.Streams.FirstID, o.Config.Streams.LastID
	if table := o.Config.Streams.Users; table != nil && b.Target.LastID == 0 {
		b.Target.FirstID, b.Target.LastID = 1, int64(table.Len())
	}
	switch {
	case f.Changed("connections"), len(o.Config.Steps) > 0:
	case o.Config.Streams.Users != nil:
		o.Config.Connections = o.Config.Streams.Users.Len() * o.Config.Streams.Subscribers
	case len(b.Target.URLs) > 0:
		o.Config.Connections = len(b.Target.URLs) * o.Config.Streams.Subscribers
	case b.Target.LastID > 0:
		o.Config.Connections = int(min(b.Target.LastID-b.Target.FirstID+1, math.MaxInt/int64(o.Config.Streams.Subscribers))) * o.Config.Streams.Subscribers
	}
	return nil
}

// checkBenchUsers refuses users that several processes cannot read, or whose ids
// are said twice.
func checkBenchUsers(f *pflag.FlagSet, table *users.Table, foreign bool) error {
	if table == nil {
		return nil
	}
	if flags.UsersFromStdin(table) {
		return errors.New("--users -: bench gives the file to several processes, which cannot all read standard input: write it to a file and name that")
	}
	if info, err := os.Stat(table.Name()); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("--users %s: bench gives the file to several processes, and this one can be read only once: write it to a file and name that", table.Name())
	}
	if !foreign && table.HasID() {
		return errors.New("the column id of --users is for a server that is there already (--url): comet's own takes the ids of --connections; leave --users out, or rename the column")
	}
	return flags.CheckUsers(f, table, "ids", "first-id", "max-id")
}

// checkTarget refuses what cannot be measured so.
func checkTarget(t *bench.Target) error {
	if t.URL != "" && len(t.URLs) > 0 {
		return errors.New("--url and --urls both say where the streams are: give one of them")
	}
	witnesses := slices.DeleteFunc([]bool{len(t.PIDs) > 0, t.Match != "", t.Log != ""}, func(given bool) bool { return !given })
	if len(witnesses) > 1 {
		return errors.New("--pid, --match and --server-log each say what is measured: give one of them")
	}
	return nil
}
