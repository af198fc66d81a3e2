// Command comet measures how many long-lived connections a server holds, what
// each costs, and how fast messages reach them. Start with `comet bench`.
package main

import (
	"os"

	"example.org/comet/cmd/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:]))
}
