//go:build !linux && !nonats

package natsrouter

import "net"

// newDialer returns what connects to a server.
func newDialer() *net.Dialer {
	return &net.Dialer{Timeout: dialTimeout, FallbackDelay: -1} // as nats.go has it
}
