package bench_test

import (
	"flag"
	"os"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"example.org/comet/cmd/internal/cli"
)

// TestMain plays the parts: a child of this test is comet itself, or a part that
// misbehaves as TEST_CHILD_OF_COMET says.
func TestMain(m *testing.M) {
	switch os.Getenv("TEST_CHILD_OF_COMET") {
	case "":
		if len(os.Args) > 1 && slices.Contains([]string{"serve", "router", "flood", "msggen", "memlog"}, os.Args[1]) {
			os.Exit(cli.Main(os.Args[1:]))
		}
		_ = flag.Set("test.parallel", "6") // they wait for parts that wait; a command line overrides it
		goleak.VerifyTestMain(m)
	case "dies":
		os.Stderr.WriteString("some words\nthe last words\n")
		os.Exit(1)
	case "is silent":
		time.Sleep(time.Hour)
	}
}
