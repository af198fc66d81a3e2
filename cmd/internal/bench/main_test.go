package bench_test

import (
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"example.org/comet/cmd/internal/cli"
)

// TestMain plays the parts: a child of this test is comet itself, or a part that
// misbehaves, as COMET_TEST_CHILD says.
func TestMain(m *testing.M) {
	switch os.Getenv("COMET_TEST_CHILD") {
	case "":
		goleak.VerifyTestMain(m)
	case "comet":
		os.Exit(cli.Main(os.Args[1:]))
	case "dies":
		os.Stderr.WriteString("some words\nthe last words\n")
		os.Exit(1)
	case "is silent":
		time.Sleep(time.Hour)
	}
}
