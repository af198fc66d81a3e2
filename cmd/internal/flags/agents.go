package flags

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"example.org/comet/server/natsrouter"
)

// Agents are the load hosts that a command asks for: so many, or those of these names.
// The zero value asks for none.
type Agents struct {
	Count int
	Names []string
}

// Bind adds --agents.
func (a *Agents) Bind(fs *pflag.FlagSet) {
	Group(fs, SeveralHosts, func() {
		*a = Agents{}
		fs.Var(a, "agents", "`N` hosts, or NAME,NAME..., that run comet agent on the same --router open the connections, and this one none")
	})
}

// Given reports whether any are asked for.
func (a *Agents) Given() bool { return a.Count > 0 || len(a.Names) > 0 }

// Type implements [pflag.Value].
func (a *Agents) Type() string { return "list" }

// String writes them as Set reads them.
func (a *Agents) String() string {
	if a == nil || a.Count == 0 {
		return a.names()
	}
	return strconv.Itoa(a.Count)
}

func (a *Agents) names() string {
	if a == nil {
		return ""
	}
	return strings.Join(a.Names, ",")
}

// Set reads a number, or names with commas between them.
func (a *Agents) Set(text string) error {
	if n, err := ParseCount(text); err == nil {
		if n < 1 || n > mostAgents {
			return fmt.Errorf("%q is no number of agents: use 1 to %d, or their names", text, mostAgents)
		}
		*a = Agents{Count: int(n)}
		return nil
	}
	names, seen := strings.Split(text, ","), make(map[string]bool)
	for i, name := range names {
		names[i] = strings.TrimSpace(name)
		if err := CheckAgentName(names[i]); err != nil {
			return err
		}
		if seen[names[i]] {
			return fmt.Errorf("%q names %s twice", text, names[i])
		}
		seen[names[i]] = true
	}
	*a = Agents{Names: names}
	return nil
}

// mostAgents bounds how many hosts work together.
const mostAgents = 1000

// CheckAgentName refuses what cannot be the name of an agent: it must be told from a
// number, and stand in a list and on a terminal.
func CheckAgentName(name string) error {
	_, notNumber := ParseCount(name)
	bad := func(r rune) bool { return r <= ' ' || r == ',' || r == 0x7f || r > 0x7e }
	if name == "" || len(name) > 253 || strings.ContainsFunc(name, bad) || notNumber == nil {
		return fmt.Errorf("%q cannot be the name of an agent: write a word such as web2, without commas and spaces, that is no number", name)
	}
	return nil
}

// Rendezvous returns the servers of NATS where the agents wait.
func (a *Agents) Rendezvous(fs *pflag.FlagSet, router *Router, getenv func(string) string) (natsrouter.Servers, error) {
	if a.Given() && !router.Given() {
		return natsrouter.Servers{}, errors.New("--agents: say where they wait: with --router, as each comet agent was told")
	}
	return router.Servers(fs, getenv)
}

// AgentCommand is the flags of comet agent.
type AgentCommand struct {
	// Name is what coordinators call this agent; "" is the name of the host.
	Name   string
	Router Router
}

// Bind implements [Command].
func (c *AgentCommand) Bind(fs *pflag.FlagSet) {
	Group(fs, SeveralHosts, func() {
		String(fs, &c.Name, "name", "", "", "`name` by which this agent can be asked for (default: the host's)")
	})
	c.Router.Bind(fs, "`URLs` of the router, or of any NATS servers, where it waits for work")
}
