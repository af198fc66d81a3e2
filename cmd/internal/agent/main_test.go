package agent_test

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"example.org/comet/cmd/internal/cli"
)

// TestMain plays the floods: a child of this test is comet itself, or what
// TEST_CHILD_OF_AGENT says.
func TestMain(m *testing.M) {
	switch os.Getenv("TEST_CHILD_OF_AGENT") {
	case "":
		if len(os.Args) > 1 && os.Args[1] == "flood" {
			os.Exit(cli.Main(os.Args[1:]))
		}
		// The tests hardly use the processor: they wait for processes that wait.
		_ = flag.Set("test.parallel", "4") // the flag is there; a command line overrides it
		goleak.VerifyTestMain(m)
	case "echo": // says what it is told, and ends with its standard input
		fmt.Println(`{"type":"ready"}`)
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			// Longer than a frame.
			fmt.Printf("{\"type\":\"said\",\"text\":%q,\"more\":%q}\n", lines.Text(), strings.Repeat("x", 300_000))
		}
	case "dies":
		fmt.Println(`{"type":"ready"}`)
		fmt.Fprintln(os.Stderr, "the last words")
		os.Exit(3)
	case "is deaf":
		fmt.Println(`{"type":"ready"}`)
		time.Sleep(time.Hour)
	}
}
