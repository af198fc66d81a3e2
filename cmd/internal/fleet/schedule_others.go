//go:build !linux

package fleet

func asBatch(start func() error) error { return start() }

func onProcessor(_ int, start func() error) error { return start() }
