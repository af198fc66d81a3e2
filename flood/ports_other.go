//go:build !linux

package flood

// portRange returns the dynamic range of RFC 6335, section 6, which other systems
// keep to.
func portRange() (low, high uint16, err error) { return 49152, 65535, nil }
