//go:build !linux

package bench

func asBatch(start func() error) error { return start() }
