// Package natstest starts NATS servers for tests.
package natstest

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Start starts a NATS server of the test's own on a port that is free, and stops it with
// the test. change, unless it is nil, may set other options.
func Start(tb testing.TB, change func(*server.Options)) *server.Server {
	tb.Helper()
	options := &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true}
	if change != nil {
		change(options)
	}
	s, err := server.NewServer(options)
	if err != nil {
		tb.Fatal(err)
	}
	s.Start()
	tb.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(10 * time.Second) {
		tb.Fatal("the NATS server does not come up")
	}
	return s
}

// OwnHost returns a loopback address for a server that ends and comes back on the same
// port. On 127.0.0.1 a connection that anybody makes meanwhile may have been given that
// port. Only Linux has other addresses.
func OwnHost() string {
	if runtime.GOOS != "linux" {
		return "127.0.0.1"
	}
	return fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254))
}
