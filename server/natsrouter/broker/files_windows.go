//go:build !nonats

package broker

// openFileLimit returns 0: Windows does not limit sockets by number.
func openFileLimit() uint64 { return 0 }
