package probe

import (
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"example.org/comet/cmd/internal/result"
)

// TCP counts what the kernel has seen since the machine started, in this network
// namespace (proc_net(5)).
type TCP struct {
	// ListenOverflows are connections turned away because an accept queue was
	// full. Retransmits are segments that were sent again.
	ListenOverflows, Retransmits result.Figure
}

func readTCP(root fs.FS) TCP {
	return TCP{
		ListenOverflows: counter(text(root, "proc/net/netstat"), "TcpExt:", "ListenOverflows"),
		Retransmits:     counter(text(root, "proc/net/snmp"), "Tcp:", "RetransSegs"),
	}
}

// counter finds a counter in pairs of lines, names above values, each behind the
// name of their group.
func counter(text, group, name string) result.Figure {
	column := -1
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0 || fields[0] != group:
		case column < 0:
			if column = slices.Index(fields, name); column < 0 {
				return result.Figure{}
			}
		case column < len(fields):
			if n, err := strconv.ParseInt(fields[column], 10, 64); err == nil {
				return result.Of(n)
			}
			return result.Figure{}
		}
	}
	return result.Figure{}
}
