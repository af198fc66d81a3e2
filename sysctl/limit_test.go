package sysctl

import (
	"log/slog"
	"math"
	"runtime"
	"strings"
	"testing"
)

// TestCheckSelf: what cannot be had is refused by name, a small need is not.
func TestCheckSelf(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	if err := CheckSelf(Need{Connections: 1}, log); err != nil && runtime.GOOS == "windows" {
		t.Errorf("without limits: %v", err)
	}
	err := CheckSelf(Need{Connections: math.MaxInt32, Flag: "--connections"}, log)
	if runtime.GOOS == "linux" && (err == nil || !strings.Contains(err.Error(), "2,147,483,647 connections")) {
		t.Errorf("two thousand million connections: %v", err)
	}
}

// TestLargestFigures: neither a need nor a system of any size overflows.
func TestLargestFigures(t *testing.T) {
	system := roomy()
	system.ConntrackMax, system.ConntrackCount, system.FilesInUse = Unlimited, Unlimited-1, Unlimited-1
	system.PidsMax, system.PidsCurrent, system.CPUs = Unlimited-1, Unlimited-1, 1<<20
	system.CgroupMax, system.CgroupHigh, system.CgroupHighCurrent = Unlimited-1, Unlimited-1, Unlimited-1
	for _, n := range []Need{
		{Connections: math.MaxInt, Role: Both, Processes: 1 << 20, SourceAddresses: math.MaxInt, Destinations: math.MaxInt},
		{Connections: math.MaxInt, BytesPerConnection: math.MaxInt32},
		{Connections: 1, Role: Client},
	} {
		for _, limits := range [][]Limit{Check(n, system), Examine(n, system)} {
			for _, l := range limits {
				if l.NeededValue < 0 || l.MaxConnections < 0 || strings.Contains(l.Why+l.Mend+l.Needed, "-9") {
					t.Errorf("%d connections: %+v", n.Connections, l)
				}
				for _, a := range l.Set {
					if strings.HasPrefix(a.Value, "-") {
						t.Errorf("%d connections: %+v", n.Connections, l)
					}
				}
			}
			if err := Refusal(n, limits); n.Connections == math.MaxInt && err == nil {
				t.Error("any number of connections is possible")
			}
		}
	}
}
