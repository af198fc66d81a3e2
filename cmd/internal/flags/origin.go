package flags

import (
	"slices"

	"github.com/spf13/pflag"
)

// Where values come from, beside the names of variables and layers.
const (
	FromFlag    = "flag"
	FromDefault = "default"
)

// Origin is a value that is in force, and where it comes from.
type Origin struct {
	Flag  string `json:"flag"`
	Value string `json:"value"`
	From  string `json:"from"`
}

// Origins returns the values of fs after [Layers.Fill], in the order of the flags: a
// flag that may be repeated has one for each of its values, none if it is empty. The
// flags that say where values come from are left out.
func (l *Layers) Origins(fs *pflag.FlagSet) (all []Origin) {
	fs.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || slices.Contains(own, f.Name) {
			return
		}
		from := l.from[f.Name]
		for i, value := range valuesIn(f) {
			o := Origin{Flag: f.Name, Value: value, From: FromDefault}
			if len(from) > 0 {
				o.From = from[min(i, len(from)-1)]
			}
			all = append(all, o)
		}
	})
	return all
}

// came notes where the values of f come from that are new.
func (l *Layers) came(f *pflag.Flag, from string) {
	if l.from == nil {
		l.from = make(map[string][]string)
	}
	for len(l.from[f.Name]) < len(valuesIn(f)) {
		l.from[f.Name] = append(l.from[f.Name], from)
	}
}
