package flags

import (
	"fmt"
	"io"

	"github.com/spf13/pflag"

	"example.org/comet/flood/users"
)

// CheckUsers returns an error if one of the flags that say which ids there are is
// given beside users that have ids of their own.
func CheckUsers(fs *pflag.FlagSet, table *users.Table, ids ...string) error {
	if name := FirstGiven(fs, ids...); name != "" && table.HasID() {
		return fmt.Errorf("--%s and the column id of --users both say which ids there are: leave --%s out, or rename the column", name, name)
	}
	return nil
}

// Users adds the flag for the file of who connects. A file is read when the flag
// is set, standard input by [ReadUsers].
func Users(fs *pflag.FlagSet, field **users.Table, usage string) {
	bind(fs, field, "users", "", nil, usage, kind[*users.Table]{
		name: "string",
		parse: func(name string) (*users.Table, error) {
			if name == "-" {
				return new(users.Table), nil
			}
			in, err := Open(name, nil)
			if err != nil {
				return nil, err
			}
			defer in.Close()
			return users.Read(in, name)
		},
		format: func(t *users.Table) string {
			switch {
			case t == nil:
				return ""
			case UsersFromStdin(t):
				return "-"
			}
			return t.Name()
		},
	})
}

// UsersFromStdin reports whether the users are to be read from standard input.
func UsersFromStdin(t *users.Table) bool { return t != nil && t.Len() == 0 }

// ReadUsers reads the users from standard input if the flag says so.
func ReadUsers(field **users.Table, stdin io.Reader) error {
	if !UsersFromStdin(*field) {
		return nil
	}
	in, err := Open("-", stdin)
	if err != nil {
		return err
	}
	table, err := users.Read(in, "standard input")
	if err != nil {
		return fmt.Errorf("--users: %w", err)
	}
	*field = table
	return nil
}
