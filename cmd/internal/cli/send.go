package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"example.org/comet/msggen"
	"example.org/comet/server/natsrouter"
)

func newSend(env *Env) *cobra.Command {
	var (
		to        string
		tokenFile string
		asJSON    bool
		routers   routerFlags
	)
	cmd := &cobra.Command{
		Use:   "send ID MESSAGE",
		Short: "Send one message to one user",
		Long: `send posts a message to a comet server's admin listener, which hands it to
every connection that is logged in as ID, and says how many those were. A
message to an ID that nobody is connected as goes into the void; that is no
error.

With --router it goes to the routers, or to any NATS servers, and from there to
every node that has connections of ID. The nodes answer how many they have: send
waits up to a second for the first answer, and a tenth of a second more for the
others. Where no subscriber is a comet node, nobody answers.

The message - is read from standard input, without its last line break.`,
		Example: `  comet send 123 "Hello World"
  uptime | comet send 123 -
  comet send 123 "Hello World" --router nats://127.0.0.1:4222`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usagef(`%s takes an id and a message: %s 123 "Hello World"`, cmd.CommandPath(), cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil || id < 0 {
				return usagef("%q is not an id: it must be a whole number from 0 to %d", args[0], int64(1<<63-1))
			}
			post, err := sendVia(env, to, tokenFile, &routers, cmd.Flags())
			if err != nil {
				return err
			}
			message, err := argOrStdin(args[1], env.Stdin)
			if err != nil {
				return err
			}
			reach, err := post(cmd.Context(), id, message)
			if err != nil {
				return err
			}
			return reportReach(env.Stdout, id, reach, asJSON)
		},
	}
	f := cmd.Flags()
	f.StringVar(&to, "to", "http://127.0.0.1:8001", "`URL` of a comet server's admin listener")
	f.StringVar(&tokenFile, "admin-token-file", "", "`file` with the server's admin token (or COMET_ADMIN_TOKEN)")
	routers.add(f, "`URL`s of the routers, such as nats://a:4222,nats://b:4222, to send through instead of --to")
	f.BoolVar(&asJSON, "json", false, "print the result as a line of JSON")
	return cmd
}

// sendVia is how a message is sent: to a server, or through the routers.
func sendVia(env *Env, to, tokenFile string, routers *routerFlags, flags *pflag.FlagSet) (func(context.Context, int64, []byte) (natsrouter.Reach, error), error) {
	servers, err := routers.read(env, flags)
	if err != nil {
		return nil, err
	}
	if routers.given() {
		if err := onlyRouter(flags, "to", "admin-token-file"); err != nil {
			return nil, err
		}
		servers.Name = "comet send"
		return func(ctx context.Context, id int64, message []byte) (natsrouter.Reach, error) {
			return natsrouter.Publish(ctx, servers, id, message)
		}, nil
	}
	token, err := adminToken(env, tokenFile)
	if err != nil {
		return nil, err
	}
	config := msggen.HTTPConfig{URL: to, Token: token}
	if err := config.Validate(); err != nil {
		return nil, usageError{err}
	}
	return func(ctx context.Context, id int64, message []byte) (natsrouter.Reach, error) {
		reached, err := msggen.Post(ctx, config, id, message)
		return natsrouter.Reach{Known: true, Connections: reached}, err
	}, nil
}

// reportReach says whom a message reached; in JSON that is null where nobody
// knows.
func reportReach(w io.Writer, id int64, reach natsrouter.Reach, asJSON bool) error {
	if !asJSON {
		_, err := fmt.Fprintln(w, reachedText(id, reach))
		return err
	}
	var reached *uint64
	if reach.Known {
		reached = &reach.Connections
	}
	return json.NewEncoder(w).Encode(struct {
		Type    string  `json:"type"`
		Reached *uint64 `json:"reached"`
	}{"result", reached})
}

func reachedText(id int64, reach natsrouter.Reach) string {
	switch {
	case reach.Unready != "":
		return fmt.Sprintf("nobody subscribes to %d, but not all subscriptions of %s are in force: a connection there may be logged in as it; see /readyz there", id, reach.Unready)
	case !reach.Known:
		return "published; no node said whom it reached"
	case reach.Connections == 0:
		return fmt.Sprintf("reached nobody: no connection is logged in as %d", id)
	case reach.Connections == 1:
		return "reached 1 connection"
	}
	return fmt.Sprintf("reached %d connections", reach.Connections)
}

// argOrStdin is arg, or standard input for -, without its last line break.
func argOrStdin(arg string, stdin io.Reader) ([]byte, error) {
	if arg != "-" {
		return []byte(arg), nil
	}
	text, err := io.ReadAll(stdin)
	if err != nil {
		return nil, fmt.Errorf("cannot read the message from standard input: %w", err)
	}
	text = bytes.TrimSuffix(text, []byte("\n"))
	return bytes.TrimSuffix(text, []byte("\r")), nil
}
