package flags

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/pflag"

	"example.org/comet/flood"
)

// FloodSettings are the settings of a flood by the names of its flags, each with its
// values, for a flood on another host.
type FloodSettings map[string][]string

// orderable returns the flags that another host may be told: those of [Flood], and what
// belongs to a flood that is attended. Those that name files of this host are not among
// them.
func orderable() (names map[string]bool) {
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	Flood(fs, new(flood.Config))
	names = map[string]bool{
		"url": true, "connections": true, "interval": true, "sample-interval": true, "run": true, "skip": true,
		"fan-out": true, "track-one-in": true, "clock-offset": true,
	}
	for _, name := range Names(fs) {
		names[name] = true
	}
	for _, file := range []string{"users", "ca", "cert", "key"} {
		delete(names, file)
	}
	return names
}

// NewFloodSettings returns those of cfg. What is in files is left out.
func NewFloodSettings(cfg flood.Config) FloodSettings {
	settings, may := make(FloodSettings), orderable()
	c := FloodCommand{}
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	c.Bind(fs)
	c.Config = cfg
	fs.VisitAll(func(f *pflag.Flag) {
		if !may[f.Name] {
			return
		}
		l, isList := f.Value.(pflag.SliceValue)
		switch {
		case isList && len(l.GetSlice()) > 0:
			settings[f.Name] = l.GetSlice()
		case !isList && f.Value.String() != f.DefValue:
			settings[f.Name] = []string{f.Value.String()}
		}
	})
	return settings
}

// Config returns the flood of these settings. It refuses those that a flood does not
// have, or that name files.
func (s FloodSettings) Config() (flood.Config, error) {
	var c FloodCommand
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	fs.SetOutput(io.Discard)
	c.Bind(fs)
	may := orderable()
	for _, name := range slices.Sorted(maps.Keys(s)) {
		if !may[name] {
			return flood.Config{}, fmt.Errorf("%q is no setting that another host can be told", name)
		}
		for _, text := range s[name] {
			if err := fs.Set(name, text); err != nil {
				return flood.Config{}, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return c.Config, nil
}
