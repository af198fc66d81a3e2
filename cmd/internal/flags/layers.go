package flags

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// Layers are where the values of flags come from that a command line leaves out:
// the environment, a file, a preset, in this order. What none of them has is the
// default.
type Layers struct {
	// Config is a YAML file, "" for none: names of flags to their values, lists
	// for flags that may be repeated.
	Config string
	// Preset is the name of a file of the same form that is in this binary.
	Preset string
	// Show prints the preset instead of running the command.
	Show bool
	// Known reports whether a name is a flag of some command: keys of other
	// commands are skipped, unknown ones are errors.
	Known func(name string) bool

	// from has for each flag that is set where each of its values comes from.
	from map[string][]string
}

//go:embed presets/*.yaml
var presets embed.FS

// Bind adds --config.
func (l *Layers) Bind(fs *pflag.FlagSet) {
	Group(fs, Other, func() {
		String(fs, &l.Config, "config", "", "", "YAML `file` with values for flags that are not given, such as \"connections: 10k\"")
	})
}

// BindPresets adds --preset and --show, for commands that open streams.
func (l *Layers) BindPresets(fs *pflag.FlagSet) {
	Group(fs, Other, func() {
		Enum(fs, &l.Preset, "preset", "", "flags for a well-known server, used where they are not given: "+or(Presets()), Presets()...)
		fs.BoolVar(&l.Show, "show", false, "print the preset and end")
	})
}

// Presets returns the names of the presets.
func Presets() []string {
	entries, _ := presets.ReadDir("presets") // embedded: it is there
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = strings.TrimSuffix(e.Name(), ".yaml")
	}
	return names
}

// Text returns the preset as it is in the binary.
func (l *Layers) Text() (string, error) {
	text, err := presets.ReadFile("presets/" + l.Preset + ".yaml")
	if err != nil {
		return "", errors.New("--show prints a preset: name one with --preset")
	}
	return string(text), nil
}

// own are the flags that no layer sets.
var own = []string{"config", "preset", "show", "help", "version"}

// secretVariables carry a secret, not the value of the flag of that name.
var secretVariables = []string{"COMET_ADMIN_TOKEN", "COMET_ROUTER_CREDENTIALS"}

// WithoutSettings returns an environment without the variables that set flags.
// Secrets stay.
func WithoutSettings(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return strings.HasPrefix(name, "COMET_") && !slices.Contains(secretVariables, name)
	})
}

// Fill sets the flags of fs that were not given, but for those in taken.
func (l *Layers) Fill(fs *pflag.FlagSet, getenv func(string) string, stdin io.Reader, taken ...string) error {
	if l.Show {
		return errors.New("--show prints a preset: name one with --preset")
	}
	fs.Visit(func(f *pflag.Flag) { l.came(f, FromFlag) })
	if err := l.fillFromEnvironment(fs, getenv, taken); err != nil {
		return err
	}
	if l.Config != "" {
		in, err := Open(l.Config, stdin)
		if err != nil {
			return fmt.Errorf("--config: %w", err)
		}
		defer in.Close()
		text, err := io.ReadAll(in)
		if err == nil {
			err = l.fill(fs, text, "--config "+l.Config, taken)
		}
		if err != nil {
			return fmt.Errorf("--config %s: %w", l.Config, err)
		}
	}
	if l.Preset == "" {
		return nil
	}
	if publish := fs.Lookup("publish"); publish != nil && !publish.Changed {
		// A preset says how to publish, whether anything is published or not.
		taken = append(append(PublishOnly(), "publish-header"), taken...)
	}
	text, err := l.Text()
	if err == nil {
		err = l.fill(fs, []byte(text), "--preset "+l.Preset, taken)
	}
	if err != nil {
		return fmt.Errorf("--preset %s: %w", l.Preset, err)
	}
	return nil
}

// fillFromEnvironment sets --some-flag from COMET_SOME_FLAG. Variables that are
// no flag here are left alone.
func (l *Layers) fillFromEnvironment(fs *pflag.FlagSet, getenv func(string) string, taken []string) (err error) {
	taken = append(givenInstead(fs), taken...)
	fs.VisitAll(func(f *pflag.Flag) {
		name := variable(f.Name)
		if f.Changed || f.Hidden || slices.Contains(own, f.Name) || slices.Contains(taken, f.Name) || slices.Contains(secretVariables, name) {
			return
		}
		if text := getenv(name); text != "" && err == nil {
			if setErr := fs.Set(f.Name, text); setErr != nil {
				err = fmt.Errorf("%s: %w", name, Explain(setErr))
			}
			l.came(f, name)
		}
	})
	return err
}

// variable returns the name of the environment's variable for a flag.
func variable(flag string) string {
	return "COMET_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// alternatives are flags of which one is given instead of the others: what a
// layer says of one gives way to another of a layer above it.
var alternatives = [][]string{
	{"rate", "interval"},
	{"connect-rate", "interval"},
	{"url", "urls"},
	{"to", "publish", "router"},
	{"pid", "match", "server-log"},
	{"connections", "steps"},
	{"ids", "users"},
	{"quiet", "verbose"},
}

// givenInstead returns the flags that have an alternative in fs.
func givenInstead(fs *pflag.FlagSet) (names []string) {
	for _, group := range alternatives {
		for _, name := range group {
			if fs.Changed(name) {
				names = append(names, group...)
			}
		}
	}
	return names
}

// fill sets flags from YAML that comes from there.
func (l *Layers) fill(fs *pflag.FlagSet, text []byte, from string, taken []string) error {
	taken = append(givenInstead(fs), taken...)
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return fmt.Errorf("it is not YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if len(document.Content) == 0 {
		return nil // nothing but comments
	}
	root := document.Content[0]
	if root.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: write names of flags to values, such as \"connections: 10k\"", root.Line)
	}
	given := make(map[string]int) // the line of each key
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		if line, twice := given[key.Value]; twice {
			return fmt.Errorf("line %d: %s is there already, in line %d", key.Line, key.Value, line)
		}
		given[key.Value] = key.Line
		if err := l.fillOne(fs, key, value, taken); err != nil {
			return fmt.Errorf("line %d: %w", key.Line, err)
		}
		if f := fs.Lookup(strings.TrimPrefix(key.Value, "--")); f != nil && f.Changed {
			l.came(f, from)
		}
	}
	return nil
}

func (l *Layers) fillOne(fs *pflag.FlagSet, key, value *yaml.Node, taken []string) error {
	name := strings.TrimPrefix(key.Value, "--")
	f := fs.Lookup(name)
	switch {
	case slices.Contains(own, name):
		return fmt.Errorf("%s cannot be set here", name)
	case f == nil && !l.Known(name):
		near := Nearest(name, Names(fs))
		if near != "" {
			return fmt.Errorf("there is no flag --%s: did you mean %s?", name, near)
		}
		return fmt.Errorf("there is no flag --%s", name)
	case f == nil || slices.Contains(taken, name):
		return nil // of another command, or something else is given instead
	}
	values, err := valuesOf(f, value)
	switch {
	case !f.Changed:
	case strings.HasSuffix(name, "header") && err == nil:
		values = newFields(f, values)
	default:
		return err // given by a layer above
	}
	for _, text := range values {
		if err == nil {
			err = fs.Set(name, text)
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, Explain(err))
	}
	return nil
}

// newFields returns the header fields whose names f does not have: those of
// several layers add up.
func newFields(f *pflag.Flag, fields []string) (fresh []string) {
	name := func(field string) string {
		n, _, _ := strings.Cut(field, ":")
		return strings.ToLower(strings.TrimSpace(n))
	}
	has := f.Value.(pflag.SliceValue).GetSlice() // headers are lists
	for _, field := range fields {
		if !slices.ContainsFunc(has, func(other string) bool { return name(other) == name(field) }) {
			fresh = append(fresh, field)
		}
	}
	return fresh
}

// valuesOf returns the texts of a value: a scalar as it is written, a list's
// elements for a flag that may be repeated.
func valuesOf(f *pflag.Flag, value *yaml.Node) ([]string, error) {
	if value.Kind == yaml.AliasNode {
		value = value.Alias
	}
	_, repeatable := f.Value.(pflag.SliceValue)
	switch {
	case value.Kind == yaml.ScalarNode && value.Tag == "!!null":
		return nil, errors.New("it has no value")
	case value.Kind == yaml.ScalarNode:
		return []string{value.Value}, nil
	case value.Kind == yaml.SequenceNode && !repeatable:
		return nil, errors.New("it takes one value, not a list")
	case value.Kind != yaml.SequenceNode:
		return nil, errors.New("write a value, or a list of values")
	}
	var all []string
	for _, one := range value.Content {
		if one.Kind != yaml.ScalarNode || one.Tag == "!!null" {
			return nil, fmt.Errorf("line %d: a list holds values", one.Line)
		}
		all = append(all, one.Value)
	}
	return all, nil
}
