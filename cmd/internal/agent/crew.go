package agent

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"example.org/comet/cmd/internal/flags"
	"example.org/comet/server/natsrouter"
)

// Call says which agents are wanted.
type Call struct {
	// Servers are those of NATS where they wait.
	Servers natsrouter.Servers
	Agents  flags.Agents
	// Logger takes diagnostics; nil discards them.
	Logger *slog.Logger

	// rhythm is coordinatorRhythm, and patience callPatience; only tests set others.
	rhythm   rhythm
	patience time.Duration
}

// Crew is agents that work for this process, and for no other.
type Crew struct {
	servers natsrouter.Servers
	conn    *nats.Conn
	hosts   []*Host
	rhythm  rhythm
	closing sync.Once
}

// How long agents have to answer a call, how often it is repeated, and how long it is
// waited for more than are wanted, one of which may have the name of another.
const (
	callPatience = 5 * time.Second
	callInterval = 500 * time.Millisecond
	callLeast    = 300 * time.Millisecond
)

// Muster calls agents together, and has each work for this process until Close. It
// returns an error that says who answered, and what to do, if there are not enough.
func Muster(ctx context.Context, call Call) (*Crew, error) {
	name, err := os.Hostname()
	if err != nil {
		name = "a host"
	}
	me := caller{Protocol: Protocol, Version: ours(), Name: fmt.Sprintf("%s (pid %d)", name, os.Getpid())}
	if call.Logger == nil {
		call.Logger = slog.New(slog.DiscardHandler)
	}
	call.Servers.Name = "comet, which calls for agents"
	call.patience = cmp.Or(call.patience, callPatience)
	c := &Crew{servers: call.Servers, rhythm: cmp.Or(call.rhythm, coordinatorRhythm)}
	if c.conn, err = call.Servers.Connect(ctx, noteErrors(call.Logger)); err != nil {
		return nil, err
	}
	chosen, err := c.find(ctx, me, call)
	for _, one := range chosen {
		if err == nil {
			err = c.take(ctx, me, one)
		}
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// find calls until enough agents have answered, and chooses among them.
func (c *Crew) find(ctx context.Context, me caller, call Call) ([]Announcement, error) {
	answers, err := c.conn.SubscribeSync(c.conn.NewRespInbox())
	if err != nil {
		return nil, fmt.Errorf("agent: %w", err)
	}
	defer func() { _ = answers.Unsubscribe() }() // the connection may be gone
	question, err := json.Marshal(me)
	if err != nil {
		return nil, err
	}
	found := make(map[string]Announcement)
	begun, asked := time.Now(), time.Time{}
	for time.Since(begun) < call.patience {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if time.Since(asked) >= callInterval {
			if err := c.conn.PublishRequest(c.servers.AgentSubject(callVerb, everybody), answers.Subject, question); err != nil {
				return nil, fmt.Errorf("agent: the router is gone: %w", err)
			}
			asked = time.Now()
		}
		if chosen, err := choose(found, call.Agents); chosen != nil && err == nil && time.Since(begun) >= callLeast {
			return chosen, nil
		}
		if m, err := answers.NextMsg(callLeast / 6); err == nil {
			var one Announcement
			if json.Unmarshal(m.Data, &one) == nil && isWord(one.Instance) && flags.CheckAgentName(one.Name) == nil {
				found[one.Instance] = one
			}
		} else if !errors.Is(err, nats.ErrTimeout) && !errors.Is(err, nats.ErrNoResponders) {
			return nil, fmt.Errorf("agent: the router is gone: %w", err)
		}
	}
	chosen, err := choose(found, call.Agents)
	if err != nil {
		err = fmt.Errorf("agent: %w", withAdvice(err, call.Servers))
	}
	return chosen, err
}

// withAdvice adds to an error that too few answered what to do.
func withAdvice(err error, servers natsrouter.Servers) error {
	if !errors.As(err, new(tooFew)) {
		return err
	}
	more := ""
	if servers.Credentials != "" {
		more += " --router-credentials FILE"
	}
	if servers.CAFile != "" {
		more += " --router-ca FILE"
	}
	if p := servers.SubjectPrefix; p != "" && p != natsrouter.DefaultSubjectPrefix {
		more += " --subject-prefix " + p
	}
	return fmt.Errorf("%w. Run this on each of the hosts:\n  comet agent --router %s%s", err, strings.Join(servers.URLs, ","), more)
}

// tooFew is the error that agents are missing.
type tooFew struct{ error }

// choose returns the agents that are wanted, in the order of their names or as they
// were named, or an error that says who is not there, or cannot work.
func choose(found map[string]Announcement, wanted flags.Agents) ([]Announcement, error) {
	all := slices.SortedFunc(maps.Values(found), func(a, b Announcement) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Instance, b.Instance))
	})
	if len(wanted.Names) > 0 {
		return named(all, wanted.Names)
	}
	var fit []Announcement
	var who []string
	var unfit error
	for _, one := range all {
		switch err := one.fits(); {
		case err != nil:
			unfit = cmp.Or(unfit, err)
		default:
			fit = append(fit, one)
			who = append(who, one.Name)
		}
	}
	switch {
	case len(fit) >= wanted.Count:
		return fit[:wanted.Count], distinct(fit[:wanted.Count])
	case unfit != nil:
		return nil, fmt.Errorf("%d of the %d agents that answered can work%s, and %d are wanted: %w", len(fit), len(all), list(who), wanted.Count, unfit)
	case len(all) == 0:
		return nil, tooFew{fmt.Errorf("no agent answered within %v, and %d are wanted", callPatience, wanted.Count)}
	}
	return nil, tooFew{fmt.Errorf("%d of %d agents answered within %v%s", len(fit), wanted.Count, callPatience, list(who))}
}

// distinct returns an error if two agents, sorted by name, have the same one.
func distinct(agents []Announcement) error {
	for i := 1; i < len(agents); i++ {
		if agents[i].Name == agents[i-1].Name {
			return fmt.Errorf("two agents are called %s: give each a --name of its own", agents[i].Name)
		}
	}
	return nil
}

// named returns the agents of these names, of all, which are sorted by name. Two others
// may share a name.
func named(all []Announcement, names []string) (chosen []Announcement, err error) {
	var who, missing []string
	for _, one := range all {
		who = append(who, one.Name)
	}
	for _, name := range names {
		i := slices.Index(who, name)
		if i < 0 {
			missing = append(missing, name)
			continue
		}
		if err := distinct(all[i:min(i+2, len(all))]); err != nil {
			return nil, err
		}
		if err := all[i].fits(); err != nil {
			return nil, err
		}
		chosen = append(chosen, all[i])
	}
	if len(missing) > 0 {
		answered := "no agent did"
		if len(who) > 0 {
			answered = "those who did are" + list(who)
		}
		return nil, tooFew{fmt.Errorf("agent %s did not answer within %v; %s", strings.Join(missing, ", "), callPatience, answered)}
	}
	return chosen, nil
}

// fits returns why an agent cannot work for us, nil if it can.
func (a Announcement) fits() error {
	switch {
	case a.Protocol != Protocol:
		return mismatch(a.String(), a.Protocol, a.Version)
	case a.Busy != "":
		return busy(a, a.Busy)
	}
	return nil
}

// list writes names in brackets, "" for none.
func list(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return " (" + strings.Join(names, ", ") + ")"
}

// take takes an agent into our service.
func (c *Crew) take(ctx context.Context, me caller, one Announcement) error {
	me.Session = rand.Text()
	h := newHost(c, one, me.Session)
	if err := h.link.open(c.servers.AgentSubject(upVerb, me.Session), func() frame { return frame{Kind: beatFrame} }); err != nil {
		return err
	}
	c.hosts = append(c.hosts, h)
	question, err := json.Marshal(me)
	if err != nil {
		return err
	}
	asking, cancel := context.WithTimeout(ctx, callPatience)
	defer cancel()
	m, err := c.conn.RequestWithContext(asking, c.servers.AgentSubject(takeVerb, one.Instance), question)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var said answer
	if err == nil {
		err = json.Unmarshal(m.Data, &said)
	}
	if err != nil {
		return fmt.Errorf("agent: %v answered a call, and then no more: %w", one, err)
	}
	if said.Error != "" {
		return fmt.Errorf("agent: %s", said.Error)
	}
	return nil
}

// Hosts returns the agents.
func (c *Crew) Hosts() []*Host {
	if c == nil {
		return nil
	}
	return c.hosts
}

// Close lets the agents go, which stop what they still do. A nil Crew has none.
func (c *Crew) Close() {
	if c != nil {
		c.closing.Do(c.close)
	}
}

// close does so once.
func (c *Crew) close() {
	for _, h := range c.hosts {
		h.link.send(frame{Kind: releaseFrame})
	}
	_ = c.conn.FlushTimeout(farewell) // else they notice the silence
	for _, h := range c.hosts {
		h.link.close()
		h.lose(errors.New("it was let go"))
	}
	c.conn.Close()
}
