package flags

import (
	"errors"

	"github.com/spf13/pflag"

	"example.org/comet/flood/users"
)

// errIDsTwice is that ids come from two places.
var errIDsTwice = errors.New("--ids and the column id of --users both say which ids there are: leave --ids out, or rename the column")

// CheckIDs refuses --ids beside users that have ids of their own.
func CheckIDs(fs *pflag.FlagSet, table *users.Table) error {
	if table.HasID() && fs.Changed("ids") {
		return errIDsTwice
	}
	return nil
}

// Users adds the flag for the file of who connects. It is read when the flag is
// set.
func Users(fs *pflag.FlagSet, field **users.Table) {
	bind(fs, field, "users", "", nil, "CSV `file` with a user per line: each {column} in URL, headers, bodies and texts is replaced by theirs", kind[*users.Table]{
		name: "string",
		parse: func(name string) (*users.Table, error) {
			in, err := Open(name, nil)
			if err != nil {
				return nil, err
			}
			defer in.Close()
			return users.Read(in, name)
		},
		format: func(t *users.Table) string {
			if t == nil {
				return ""
			}
			return t.Name()
		},
	})
}
