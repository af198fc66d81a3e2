package sysctl

import (
	"fmt"
	"os"
	"runtime"
	"testing"
)

func ExampleCounters() {
	var here Counters // this machine
	before := here.CPU()
	// … the work to measure …
	if busy, _, known := here.CPU().Since(before); known {
		fmt.Printf("the processors were %.0f %% busy\n", 100*busy)
	}
}

func TestTCPCounters(t *testing.T) {
	c := Counters{Root: files(map[string]string{
		"proc/net/netstat": "TcpExt: SyncookiesSent ListenOverflows ListenDrops\nTcpExt: 1 22 333\nIpExt: InNoRoutes ListenOverflows\nIpExt: 4 5\n",
		"proc/net/snmp":    "Ip: Forwarding\nIp: 1\nTcp: MaxConn RetransSegs\nTcp: -1 44\n",
	})}
	if got := c.TCP(); got != (TCPCounters{22, 333, 44}) {
		t.Errorf("%+v", got)
	}
	unknown := TCPCounters{Unknown, Unknown, Unknown}
	for name, text := range map[string]string{
		"none": "", "names only": "TcpExt: ListenOverflows ListenDrops\n", "short": "TcpExt: A ListenOverflows\nTcpExt: 1\n",
		"no numbers": "TcpExt: ListenOverflows ListenDrops\nTcpExt: x -1\n", "another group": "UdpExt: ListenOverflows\nUdpExt: 5\n",
		"beyond 64 bits": "TcpExt: ListenOverflows ListenDrops\nTcpExt: 18446744073709551616 9223372036854775807\n",
	} {
		if got := (Counters{Root: files(map[string]string{"proc/net/netstat": text})}).TCP(); got != unknown {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestCPUTime(t *testing.T) {
	at := func(text string) CPUTime { return Counters{Root: files(map[string]string{"proc/stat": text})}.CPU() }
	before := at("cpu  10 0 20 100 0 0 5 2 7 0\ncpu0 1 2 3\n")
	after := at("cpu  40 10 40 110 5 5 10 22 9 0\ncpu0 1 2 3\n")
	busy, stolen, known := after.Since(before)
	// 105 ticks, 15 of them idle or waiting for a disk, 20 stolen.
	if got := fmt.Sprintf("%.4f %.4f %v", busy, stolen, known); got != "0.8571 0.1905 true" {
		t.Errorf("busy, stolen, known: %s", got)
	}
	unknown := CPUTime{Unknown, Unknown, Unknown}
	for _, text := range []string{"", "cpu", "cpu 1 2 3", "cpu0 1 2 3 4 5 6 7 8", "cpu 1 2 3 4 5 6 7 x", "cpu 1 2 3 4 5 6 7 -8", "cpu max 2 3 4 5 6 7 8"} {
		if got := at(text); got != unknown {
			t.Errorf("%q: %+v", text, got)
		}
	}
	for _, pair := range [][2]CPUTime{{after, after}, {before, after}, {after, unknown}, {unknown, before}} {
		if _, _, known := pair[0].Since(pair[1]); known {
			t.Errorf("known from %+v to %+v", pair[1], pair[0])
		}
	}
}

func TestMemoryInUse(t *testing.T) {
	const slabinfo = "slabinfo - version: 2.1\n" +
		"# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>\n" +
		"sock_inode_cache 10 10 832 39 8 : tunables 0 0 0 : slabdata 2 2 0\n" +
		"proc_inode_cache 10 10 696 46 8 : tunables 0 0 0 : slabdata 1 1 0\n" +
		"ext4_inode_cache 10 10 696 46 8 : tunables 0 0 0 : slabdata 1 1 0\n" +
		"TCP 1 1 2368 13 8 : tunables 0 0 0 : slabdata 3 3 0\nodd line\n"
	page := Value(os.Getpagesize())
	const meminfo = "MemTotal: 1000000 kB\nMemFree: 400000 kB\nMemAvailable: 500000 kB\nActive(file): 1000 kB\nInactive(file): 2000 kB\nSlab: 5000 kB\n"
	c := Counters{Root: files(map[string]string{"proc/meminfo": meminfo, "proc/slabinfo": slabinfo})}
	s := c.Slabs()
	cached := 2*8*page + 8*page/procInodeBytes*dentryBytes
	if s.Cached != cached || s.Total != 5000<<10-cached || len(s.Caches) != 2 || s.Caches["TCP"] != 24*page || s.Caches["sock_inode_cache"] != 16*page {
		t.Errorf("%+v", s)
	}
	m := c.Memory()
	if m != (Memory{1000000 << 10, 400000 << 10, 500000 << 10, 1000 << 10, 2000 << 10, 5000 << 10}) {
		t.Errorf("%+v", m)
	}
	if got := m.InUse(s); got != 597000<<10-cached {
		t.Errorf("%d in use", got)
	}
	c = Counters{Root: files(map[string]string{"proc/meminfo": meminfo})} // who is not root
	if s := c.Slabs(); s.Cached != Unknown || s.Caches != nil || s.Total != 5000<<10 || c.Memory().InUse(s) != 597000<<10 {
		t.Errorf("without slabinfo: %+v", s)
	}
	c = Counters{Root: files(map[string]string{"proc/meminfo": "MemTotal: x kB\nMemFree\nSlab:\n"})}
	if m := c.Memory(); m.Total.Known() || m.InUse(c.Slabs()) != Unknown || c.Slabs().Total != Unknown {
		t.Errorf("odd text: %+v", m)
	}
}

func TestCountersHere(t *testing.T) {
	var here Counters
	m, cpu := here.Memory(), here.CPU()
	if known := runtime.GOOS == "linux"; m.Total.Known() != known || cpu.All.Known() != known {
		t.Errorf("%+v, %+v on %s", m, cpu, runtime.GOOS)
	}
	here.TCP() // a network namespace may hide its own
}

func FuzzCounters(f *testing.F) {
	f.Add("TcpExt: A\nTcpExt: 1\n", "cpu 1 2 3 4 5 6 7 8", "MemTotal: 1 kB", "TCP 1 1 2368 13 8 : tunables 0 0 0 : slabdata 3 3 0")
	f.Fuzz(func(t *testing.T, netstat, stat, meminfo, slabinfo string) {
		c := Counters{Root: files(map[string]string{
			"proc/net/netstat": netstat, "proc/net/snmp": netstat, "proc/stat": stat, "proc/meminfo": meminfo, "proc/slabinfo": slabinfo,
		})}
		s := c.Slabs()
		for name, v := range map[string]Value{
			"ListenOverflows": c.TCP().ListenOverflows, "All": c.CPU().All, "Total": c.Memory().Total, "InUse": c.Memory().InUse(s), "Slabs": s.Total,
		} {
			if v < Unknown {
				t.Errorf("%s is %d", name, v)
			}
		}
	})
}
