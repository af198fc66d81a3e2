package flags

import (
	"strconv"

	"github.com/spf13/pflag"
)

// Settings returns the flags of fs by name, as they stand in a result: counts as
// numbers, all else as it would be written. Lists of counts that are empty are
// left out.
func Settings(fs *pflag.FlagSet) map[string]any {
	settings := make(map[string]any)
	fs.VisitAll(func(f *pflag.Flag) {
		text := f.Value.String()
		switch l, isList := f.Value.(*list[int]); {
		case isList && len(*l.field) == 0:
		case isList:
			settings[f.Name] = text[1 : len(text)-1] // without its brackets
		case f.Value.Type() == "count":
			n, _ := strconv.ParseInt(text, 10, 64) // a count writes nothing else
			settings[f.Name] = n
		default:
			settings[f.Name] = text
		}
	})
	return settings
}
