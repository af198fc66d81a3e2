//go:build !linux

package server

// acceptQueue adds nothing: the system does not give it.
func acceptQueue(int, *AcceptQueue) {}
