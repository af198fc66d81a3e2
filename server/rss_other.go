//go:build !linux

package server

// residentBytes is not known without a library here.
func residentBytes() *int64 { return nil }
