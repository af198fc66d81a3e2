package bench

import (
	"fmt"
	"slices"
	"strings"

	"example.org/comet/cmd/internal/result"
)

// repeats returns the command that does one run again, with the seed that it drew.
func repeats(command []string, r *result.Result) []string {
	command = without(command, "--repeat=")
	seed, drawn := r.Settings["seed"]
	if len(command) == 0 || !drawn {
		return command
	}
	return append(without(command, "--seed="), fmt.Sprintf("--seed=%v", seed))
}

// without returns a command without the arguments that begin with prefix.
func without(command []string, prefix string) []string {
	return slices.DeleteFunc(slices.Clone(command), func(word string) bool { return strings.HasPrefix(word, prefix) })
}
