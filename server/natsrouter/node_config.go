package natsrouter

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// NodeConfig says how a server takes part in the router. Only Servers.URLs must be
// set.
type NodeConfig struct {
	// Servers are those that messages come through.
	Servers Servers
	// Interest is how this node asks for messages; empty means Exact.
	Interest Interest
	// Name distinguishes this node from the others. Empty means the host's name and
	// the process's number.
	Name string
	// Events has this node receive events, which Home.Event is going to take, and what
	// other such nodes say, for Home.Mail.
	Events bool

	options []option // of tests
}

func (c NodeConfig) withDefaults() NodeConfig {
	if c.Interest == "" {
		c.Interest = Exact
	}
	if c.Name == "" {
		c.Name = defaultName()
	}
	if c.Servers.Name == "" {
		c.Servers.Name = ClientName(c.Name)
	}
	c.Servers = c.Servers.withDefaults()
	return c
}

// Validate returns an error that names everything that cannot be.
func (c NodeConfig) Validate() error {
	c = c.withDefaults()
	errs := []error{c.Servers.Validate()}
	errs = append(errs, new(Interest).UnmarshalText([]byte(c.Interest)))
	if err := checkName(c.Name); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// defaultName returns the names of the host and the process, as one word of a
// subject.
func defaultName() string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "node"
	}
	host = strings.Map(func(r rune) rune {
		if strings.ContainsRune(".*> \t\r\n", r) {
			return '-'
		}
		return r
	}, host)
	return host + "-" + strconv.Itoa(os.Getpid())
}

// checkName refuses what is not one word of a subject. A number could be taken
// for an id.
func checkName(name string) error {
	if _, err := strconv.ParseUint(name, 10, 64); err == nil || name == "" || strings.ContainsAny(name, ".*> \t\r\n") {
		return fmt.Errorf("natsrouter: the node's name is %q: write one word without dots, spaces, * and >, which is not a number", name)
	}
	return nil
}
