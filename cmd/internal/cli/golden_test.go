package cli

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "write the goldens")

// TestFlagsGolden holds every flag of every command, with its shorthand and its
// default, against the list taken before flags had a package of their own.
// Scripts of other people rely on them: a line may be added, never changed.
func TestFlagsGolden(t *testing.T) {
	const golden = "testdata/flags.golden"
	var lines strings.Builder
	root := newRoot(&Env{Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: io.Discard, Getenv: os.Getenv})
	all := append([]*cobra.Command{root}, root.Commands()...)
	for _, cmd := range root.Commands() {
		all = append(all, cmd.Commands()...)
	}
	for _, cmd := range all {
		list := func(f *pflag.Flag) {
			hidden := ""
			if f.Hidden {
				hidden = " hidden"
			}
			fmt.Fprintf(&lines, "%s --%s -%s %q%s\n", cmd.Name(), f.Name, cmp.Or(f.Shorthand, "-"), f.DefValue, hidden)
		}
		cmd.LocalNonPersistentFlags().VisitAll(list)
		cmd.PersistentFlags().VisitAll(list)
	}
	if *update {
		if err := os.WriteFile(golden, []byte(lines.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(want)) {
		if !strings.Contains(lines.String(), line) {
			t.Errorf("lost: %s", strings.TrimSpace(line))
		}
	}
}
