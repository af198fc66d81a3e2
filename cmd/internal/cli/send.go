package cli

import (
	"bytes"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"example.org/comet/msggen"
)

func newSend(env *Env) *cobra.Command {
	var (
		to        string
		tokenFile string
		asJSON    bool
	)
	cmd := &cobra.Command{
		Use:   "send ID MESSAGE",
		Short: "Send one message to one user",
		Long: `send posts a message to a comet server's admin listener, which hands it to
every connection that is logged in as ID, and says how many those were. A
message to an ID that nobody is connected as goes into the void; that is no
error.

The message - is read from standard input, without its last line break.`,
		Example: `  comet send 123 "Hello World"
  uptime | comet send 123 -`,
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
			token, err := adminToken(env, tokenFile)
			if err != nil {
				return err
			}
			config := msggen.HTTPConfig{URL: to, Token: token}
			if err := config.Validate(); err != nil {
				return usageError{err}
			}
			message, err := argOrStdin(args[1], env.Stdin)
			if err != nil {
				return err
			}
			reached, err := msggen.Post(cmd.Context(), config, id, message)
			if err != nil {
				return err
			}
			if asJSON {
				_, err = fmt.Fprintf(env.Stdout, "{\"type\":\"result\",\"reached\":%d}\n", reached)
			} else {
				_, err = fmt.Fprintln(env.Stdout, reachedText(id, reached))
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&to, "to", "http://127.0.0.1:8001", "`URL` of a comet server's admin listener")
	f.StringVar(&tokenFile, "admin-token-file", "", "`file` with the server's admin token (or COMET_ADMIN_TOKEN)")
	f.BoolVar(&asJSON, "json", false, "print the result as a line of JSON")
	return cmd
}

func reachedText(id int64, reached uint64) string {
	switch reached {
	case 0:
		return fmt.Sprintf("reached nobody: no connection is logged in as %d", id)
	case 1:
		return "reached 1 connection"
	}
	return fmt.Sprintf("reached %d connections", reached)
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
