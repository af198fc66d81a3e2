package flags

import (
	"encoding/json"
	"slices"
	"strings"

	"example.org/comet/server/wire"
)

// concealed is the variable of the environment in which a process of comet's has the
// arguments that its command line must not show.
const concealed = "COMET_CONCEALED_ARGS"

// anyText are flags whose values may be anybody's secret, as a header may.
var anyText = []string{"header", "body", "stream-body", "first-message", "ready", "reply"}

// Conceal splits the arguments of a process that comet starts: open are those for its
// command line, which every user of the machine can read, and environ has those that may
// hold a secret, as NAME=value, nil if there is none. They may have come from a file that
// nobody else can read.
func Conceal(args []string) (open, environ []string) {
	var secret [][]byte // which JSON has whatever bytes they are
	for _, arg := range args {
		name, value, _ := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		if slices.Contains(anyText, name) || wire.ShowURL(value) != value {
			secret = append(secret, []byte(arg))
		} else {
			open = append(open, arg)
		}
	}
	if secret == nil {
		return open, nil
	}
	text, err := json.Marshal(secret)
	if err != nil { // a list of texts always has one
		return args, nil
	}
	return open, []string{concealed + "=" + string(text)}
}

// Reveal returns args with those that Conceal took out.
func Reveal(args []string, getenv func(string) string) []string {
	var secret [][]byte
	if json.Unmarshal([]byte(getenv(concealed)), &secret) != nil {
		return args
	}
	args = slices.Clip(args)
	for _, arg := range secret {
		args = append(args, string(arg))
	}
	return args
}
