package server

// openFileLimit returns 0, unknown: Windows does not limit sockets by number.
func openFileLimit() uint64 { return 0 }

// isReadableByOthers returns false, since the mode of a file does not show it here.
func isReadableByOthers(string) bool { return false }
