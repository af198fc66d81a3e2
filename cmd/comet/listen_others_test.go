//go:build !linux

package main

import "net"

// listenWith listens; the size of the accept queue is the system's.
func listenWith(addr string, _ int) (net.Listener, error) { return net.Listen("tcp", addr) }
