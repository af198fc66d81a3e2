package flood

import (
	"fmt"
	"os"
)

// portRange returns the range that ports to connect from are taken from.
func portRange() (low, high uint16, err error) {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return 0, 0, fmt.Errorf("flood: %w", err)
	}
	return parsePortRange(string(text))
}
