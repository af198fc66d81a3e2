// Command coder is the other end of comet's system tests of WebSockets, by
// github.com/coder/websocket: "coder serve ADDRESS" is a server for comet flood,
// "coder dial URL ADMIN" a client of comet serve.
package main

import (
	"log"
	"os"
)

func main() {
	switch {
	case len(os.Args) == 3 && os.Args[1] == "serve":
		log.Fatal(serve(os.Args[2]))
	case len(os.Args) == 4 && os.Args[1] == "dial":
		if !dial(os.Args[2], os.Args[3]) {
			os.Exit(1)
		}
	default:
		log.Fatal("usage: coder serve ADDRESS | coder dial URL ADMIN")
	}
}
