package probe

import (
	"fmt"
	"io/fs"
	"maps"
	"testing"
	"testing/fstest"

	"example.org/comet/cmd/internal/result"
)

// system is a made-up Linux system.
func system(files map[string]string) fs.FS {
	root := make(fstest.MapFS)
	for name, text := range files {
		root[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return root
}

func show(f result.Figure) string {
	n, ok := f.Value()
	if !ok {
		return "null"
	}
	return fmt.Sprintf("%.4g", n)
}

const slabinfo = `slabinfo - version: 2.1
# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>
TCP                40118  40131   2368   13    8 : tunables    0    0    0 : slabdata   3087   3088      0
sock_inode_cache   1  1  832  19  4 : tunables 0 0 0 : slabdata 10 10 0
proc_inode_cache   1  1  696  23  4 : tunables 0 0 0 : slabdata 20 20 0
ext4_inode_cache   1  1  1000  29  8 : tunables 0 0 0 : slabdata 5 5 0
torn               1 2
bad                1  1  1  1  x : tunables 0 0 0 : slabdata 5 y 0
`

func TestMachine(t *testing.T) {
	const meminfo = "MemTotal:  1000 kB\nMemFree:  400 kB\nActive(file):  50 kB\nInactive(file): 10 kB\nSlab:  900 kB\nHugePages_Total:       0\nodd\n"
	s := readMachine(system(map[string]string{"proc/meminfo": meminfo}), 4096)
	if got := show(s.Machine.Total) + " " + show(s.Machine.InUse) + " " + show(s.Slabs.Total); got != "1.024e+06 5.53e+05 9.216e+05" {
		t.Errorf("total, in use, slabs: %s; want 1000, 540 and 900 KiB", got)
	}
	// What is cached is in use by nobody: 20*4 pages of proc's inodes with their
	// dentries, and 5*8 pages of ext4's.
	s = readMachine(system(map[string]string{"proc/meminfo": meminfo, "proc/slabinfo": slabinfo}), 4)
	cached := int64(20*4*4 + 20*4*4*dentryBytes/procInodeBytes + 5*8*4)
	if s.Slabs.cached != cached || s.Slabs.Total != result.Of(900*1024-cached) || s.Machine.InUse != result.Of(540*1024-cached) {
		t.Errorf("%+v %+v, want %d bytes cached", s.Machine, s.Slabs, cached)
	}
	if want := map[string]int64{"TCP": 8 * 3088 * 4, "sock_inode_cache": 4 * 10 * 4}; !maps.Equal(s.Slabs.Caches, want) {
		t.Errorf("%v, want %v", s.Slabs.Caches, want)
	}
	// Where nothing is told nothing is known, and nothing is 0.
	for name, files := range map[string]map[string]string{
		"nothing":    nil,
		"other text": {"proc/meminfo": "nonsense", "proc/slabinfo": "torn 1 2", "proc/stat": "cpu", "proc/net/netstat": "TcpExt:", "proc/net/snmp": "Tcp: RetransSegs\nTcp: x\n"},
		"no total":   {"proc/meminfo": "MemFree: 1 kB\n"},
	} {
		s := readMachine(system(files), 4096)
		for figure, f := range map[string]result.Figure{
			"in use": s.Machine.InUse, "total": s.Machine.Total, "slabs": s.Slabs.Total, "ticks": s.CPU.All,
			"overflows": s.TCP.ListenOverflows, "retransmits": s.TCP.Retransmits,
		} {
			if f != (result.Figure{}) {
				t.Errorf("%s: %s is %s, want null", name, figure, show(f))
			}
		}
		if s.Slabs.Caches != nil {
			t.Errorf("%s: %v", name, s.Slabs.Caches)
		}
	}
}

func TestTCP(t *testing.T) {
	root := system(map[string]string{
		"proc/net/netstat": "IpExt: InNoRoutes ListenOverflows\nIpExt: 4 5\nTcpExt: SyncookiesSent ListenOverflows ListenDrops\n\nTcpExt: 1 22 333\n",
		"proc/net/snmp":    "Tcp: RtoMin RetransSegs\nTcp: 200 7\nUdp: RetransSegs\nUdp: 9\n",
	})
	if got := readTCP(root); got != (TCP{result.Of(22), result.Of(7)}) {
		t.Errorf("%+v, want 22 overflows and 7 retransmits", got)
	}
	for text, group := range map[string]string{
		"TcpExt: A B\nTcpExt: 1 2\n":       "TcpExt:", // another name
		"TcpExt: X NotThere\nTcpExt: 1\n":  "TcpExt:", // a line cut short
		"TcpExt: NotThere\nTcpExt: many\n": "TcpExt:", // not a number
		"TcpExt: NotThere\n":               "TcpExt:", // names alone
		"UdpExt: NotThere\nUdpExt: 1\n":    "TcpExt:", // another group
	} {
		if f := counter(text, group, "NotThere"); f != (result.Figure{}) {
			t.Errorf("%q: %s, want null", text, show(f))
		}
	}
}

func TestProcessors(t *testing.T) {
	at := func(text string) Processors { return readProcessors(system(map[string]string{"proc/stat": text})) }
	before := at("cpu  10 0 20 100 0 0 5 2 7 0\ncpu0 1 2 3\n")
	after := at("cpu  40 10 40 110 5 5 10 22 9 0\ncpu0 1 2 3\n")
	busy, stolen := after.since(before)
	// 105 ticks, 15 of them idle or waiting for a disk, 20 stolen.
	if show(busy) != "0.8571" || show(stolen) != "0.1905" {
		t.Errorf("busy %s, stolen %s", show(busy), show(stolen))
	}
	for _, text := range []string{"", "cpu", "cpu 1 2 3", "cpu0 1 2 3 4 5 6 7 8", "cpu 1 2 3 4 5 6 7 x"} {
		if p := at(text); p != (Processors{}) {
			t.Errorf("%q: %+v", text, p)
		}
	}
	for name, pair := range map[string][2]Processors{"no time": {after, after}, "backwards": {after, before}, "unknown before": {{}, after}, "unknown now": {before, {}}} {
		if busy, stolen := pair[1].since(pair[0]); busy != (result.Figure{}) || stolen != (result.Figure{}) {
			t.Errorf("%s: busy %s, stolen %s", name, show(busy), show(stolen))
		}
	}
}

// Whatever a kernel shows, it is read without a panic, and nothing is negative
// that counts.
func FuzzMachine(f *testing.F) {
	f.Add("MemTotal: 1000 kB\nMemFree: 400 kB\nSlab: 9 kB\n", slabinfo, "cpu  10 0 20 100 0 0 5 2 7 0\n", "TcpExt: A ListenOverflows\nTcpExt: 1 2\n")
	f.Add("", "", "cpu", "TcpExt:\nTcpExt:\n")
	f.Fuzz(func(t *testing.T, meminfo, slabs, stat, netstat string) {
		s := readMachine(system(map[string]string{"proc/meminfo": meminfo, "proc/slabinfo": slabs, "proc/stat": stat, "proc/net/netstat": netstat}), 4096)
		if s.Sub(s).Busy != (result.Figure{}) {
			t.Errorf("busy %s in no time", show(s.Sub(s).Busy))
		}
		if s.CPU.All == (result.Figure{}) && s.CPU.Idle != (result.Figure{}) {
			t.Errorf("%+v: some ticks of an unknown number", s.CPU)
		}
	})
}
