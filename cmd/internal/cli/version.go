package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"example.org/comet/cmd/internal/version"
)

func newVersion(env *Env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version, the commit, its date, and the Go that built it",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			if asJSON {
				return jsonLine(env.Stdout, "version", version.Get())
			}
			_, err := fmt.Fprintln(env.Stdout, version.Get())
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a line of JSON")
	return cmd
}
