package bench

import (
	"slices"
	"testing"

	"example.org/comet/cmd/internal/result"
)

// TestCommandRepeats: one run, with the seed that was drawn.
func TestCommandRepeats(t *testing.T) {
	r := &result.Result{Settings: map[string]any{"seed": uint64(7)}}
	if got := repeats([]string{"comet", "bench", "--seed=0", "--rate=5", "--repeat=3"}, r); !slices.Equal(got, []string{"comet", "bench", "--rate=5", "--seed=7"}) {
		t.Errorf("%q", got)
	}
	given := []string{"comet", "bench", "--steps=1", "--steps=2"}
	if got := repeats(given, &result.Result{}); !slices.Equal(got, given) {
		t.Errorf("%q without messages", got)
	}
	if got := without(given, "--steps="); !slices.Equal(got, []string{"comet", "bench"}) || len(given) != 4 {
		t.Errorf("%q of %q", got, given)
	}
	if got := repeats(nil, r); got != nil {
		t.Errorf("%q of no command", got)
	}
}
