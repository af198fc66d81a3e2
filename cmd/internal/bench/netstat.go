package bench

import (
	"os"
	"strconv"
	"strings"
)

// tcpCounters are counts of the kernel's since the machine came up, of one
// network namespace. They are nil where they are not told (proc_net(5)).
type tcpCounters struct{ listenOverflows, retransmits *int64 }

func readTCPCounters() tcpCounters {
	return tcpCounters{
		listenOverflows: procCounter("/proc/net/netstat", "TcpExt:", "ListenOverflows"),
		retransmits:     procCounter("/proc/net/snmp", "Tcp:", "RetransSegs"),
	}
}

// procCounter finds a counter in a file of pairs of lines, names above values.
func procCounter(path, group, name string) *int64 {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return findCounter(string(text), group, name)
}

func findCounter(text, group, name string) *int64 {
	var names []string
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] != group {
			continue
		}
		if names == nil {
			names = fields
			continue
		}
		for i, n := range names {
			if n == name && i < len(fields) {
				if value, err := strconv.ParseInt(fields[i], 10, 64); err == nil {
					return &value
				}
			}
		}
		return nil
	}
	return nil
}
