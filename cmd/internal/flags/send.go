package flags

import (
	"fmt"
	"strconv"

	"github.com/spf13/pflag"

	"example.org/comet/msggen"
	"example.org/comet/server/natsrouter"
	"example.org/comet/server/tlsclient"
)

// SendCommand is the flags of comet send.
type SendCommand struct {
	HTTP       msggen.HTTPConfig
	Servers    natsrouter.Servers
	AdminToken Secret
	TLS        tlsclient.Options
	Router     Router
	JSON       bool
	// ID and Message are the arguments.
	ID      int64
	Message string
}

// Bind implements [Command].
func (c *SendCommand) Bind(fs *pflag.FlagSet) {
	Group(fs, Target, func() {
		URL(fs, &c.HTTP.URL, "to", "http://127.0.0.1:8001", "`URL` of a comet server's admin listener")
		c.AdminToken.adminToken(fs, "`file` with the server's admin token")
		ClientTLS(fs, &c.TLS)
	})
	Group(fs, Messages, func() {
		fs.BoolVar(&c.HTTP.Events, "event", false, "send an event: ID is a publisher, and all of its followers get it (see comet serve --subscriptions)")
	})
	c.Router.Bind(fs, "`URLs` of the routers, such as nats://a:4222,nats://b:4222, to send through instead of --to")
	Group(fs, Output, func() { fs.BoolVar(&c.JSON, "json", false, "print the result as a line of JSON") })
}

// Complete reads the arguments and the secrets and checks the flags against each
// other.
func (c *SendCommand) Complete(fs *pflag.FlagSet, args []string, getenv func(string) string) (err error) {
	if c.ID, err = strconv.ParseInt(trimSpace(args[0]), 10, 64); err != nil || c.ID < 0 {
		return fmt.Errorf("%q is not an id: it must be a whole number from 0 to %d", args[0], int64(1<<63-1))
	}
	c.Message = args[1]
	if err := c.Router.OnlyRouter(fs, append(ClientTLSFlags(), "to", "admin-token-file")...); err != nil {
		return err
	}
	if c.Servers, err = c.Router.Servers(fs, getenv); err != nil || c.Router.Given() {
		return err
	}
	if c.HTTP.TLS, err = ClientConfig(fs, c.TLS, "to", c.HTTP.URL); err != nil {
		return err
	}
	if c.HTTP.Token, err = c.AdminToken.Read(getenv); err != nil {
		return err
	}
	return c.HTTP.Validate()
}
