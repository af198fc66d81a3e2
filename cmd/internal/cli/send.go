package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"example.org/comet/cmd/internal/flags"
	"example.org/comet/msggen"
	"example.org/comet/server/natsrouter"
)

func newSend(env *Env, run func(context.Context, *Env, *flags.SendCommand) error) *cobra.Command {
	o := new(flags.SendCommand)
	cmd := describe(&cobra.Command{
		Use:               "send ID MESSAGE",
		Annotations:       map[string]string{takesValues: "yes"},
		ValidArgsFunction: cobra.NoFileCompletions,
		Args:              exactly(2, 2, `an id and a message: comet send 123 "Hello World"`),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.Complete(cmd.Flags(), args, env.Getenv); err != nil {
				return usageError{err}
			}
			return run(cmd.Context(), env, o)
		},
	}, "send")
	o.Bind(cmd.Flags())
	return cmd
}

// runSend sends one message and reports whom it reached.
func runSend(ctx context.Context, env *Env, o *flags.SendCommand) error {
	message, err := argOrStdin(o.Message, env.Stdin)
	if err != nil {
		return err
	}
	var reach natsrouter.Reach
	if o.Router.Given() {
		servers := o.Servers
		servers.Name, servers.Logger = "comet send", env.Logger()
		publish := natsrouter.Publish
		if o.HTTP.Events {
			publish = natsrouter.PublishEvent
		}
		reach, err = publish(ctx, servers, o.ID, message)
	} else {
		reach.Known = true
		reach.Connections, err = msggen.Post(ctx, o.HTTP, o.ID, message)
	}
	if err != nil {
		return planned(ctx, unprefixed{err})
	}
	if o.HTTP.Events && reach.Known && reach.Connections == 0 && !o.JSON {
		_, err := fmt.Fprintf(env.Stdout, "reached nobody: no connection is logged in as a follower of %d\n", o.ID)
		return err
	}
	return reportReach(env.Stdout, o.ID, reach, o.JSON)
}

// reportReach prints whom a message reached; in JSON that is null where nobody
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

// argOrStdin returns arg, or for "-" standard input without its last line break
// and its byte order mark.
func argOrStdin(arg string, stdin io.Reader) ([]byte, error) {
	if arg != "-" {
		return []byte(arg), nil
	}
	text, err := io.ReadAll(flags.Decode(stdin))
	if err != nil {
		return nil, fmt.Errorf("cannot read the message from standard input: %w", err)
	}
	text = bytes.TrimSuffix(text, []byte("\n"))
	return bytes.TrimSuffix(text, []byte("\r")), nil
}
