package bench

import (
	"fmt"
	"slices"
	"strings"

	"example.org/comet/cmd/internal/result"
)

// repeats returns the command that does a run again, with the seed that it drew.
func repeats(command []string, r *result.Result) []string {
	seed, drawn := r.Settings["seed"]
	if len(command) == 0 || !drawn {
		return command
	}
	return instead(command, "--seed=", fmt.Sprintf("--seed=%v", seed))
}

// instead returns a command with another argument for the one that begins with prefix,
// or behind the others.
func instead(command []string, prefix, argument string) []string {
	if len(command) == 0 {
		return nil
	}
	command = slices.DeleteFunc(slices.Clone(command), func(word string) bool { return strings.HasPrefix(word, prefix) })
	return append(command, argument)
}
