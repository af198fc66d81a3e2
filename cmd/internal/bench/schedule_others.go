//go:build !linux

package bench

func asBatch(start func() error) error { return start() }

func stayWith(_ int, start func() error) error { return start() }
