package sysctl

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"
)

func files(m map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, text := range m {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}

func TestProcFill(t *testing.T) {
	p := &proc{root: files(map[string]string{
		"proc/sys/fs/nr_open":                           "1048576\n",
		"proc/sys/fs/file-max":                          "18446744073709551615\n",
		"proc/sys/fs/file-nr":                           "415\t0\t9223372036854775807\n",
		"proc/sys/fs/epoll/max_user_watches":            "5491511\n",
		"proc/sys/net/ipv4/ip_local_port_range":         "32768\t60999\n",
		"proc/sys/net/ipv4/ip_local_reserved_ports":     "8080,40000-40009,60999-61005\n",
		"proc/sys/net/core/somaxconn":                   "4096\n",
		"proc/sys/net/ipv4/ip_unprivileged_port_start":  "1024\n",
		"proc/sys/net/ipv4/tcp_max_syn_backlog":         "2048\n",
		"proc/sys/net/ipv4/tcp_syncookies":              "1\n",
		"proc/sys/net/ipv4/tcp_mem":                     "287898\t383867\t575796\n",
		"proc/sys/net/netfilter/nf_conntrack_max":       "262144\n",
		"proc/sys/net/netfilter/nf_conntrack_count":     "7\n",
		"proc/meminfo":                                  "MemTotal:       24684084 kB\nMemFree:        100 kB\nMemAvailable:   200 kB\nSlab:  3 kB\nHugePages_Total:       0\n",
		"proc/self/cgroup":                              "0::/user.slice/shell\n",
		"sys/fs/cgroup/user.slice/shell/memory.max":     "max\n",
		"sys/fs/cgroup/user.slice/shell/memory.current": "4096\n",
		"sys/fs/cgroup/user.slice/shell/memory.high":    "900000\n",
		"sys/fs/cgroup/user.slice/shell/pids.max":       "max\n",
		"sys/fs/cgroup/user.slice/shell/pids.current":   "7\n",
		"sys/fs/cgroup/user.slice/pids.max":             "500\n",
		"sys/fs/cgroup/user.slice/pids.current":         "70\n",
		"sys/fs/cgroup/user.slice/memory.max":           "1000000\n",
		"sys/fs/cgroup/user.slice/memory.current":       "600000\n",
		"sys/fs/cgroup/user.slice/memory.stat":          "anon 1\ninactive_file 100000\n",
	})}
	want := UnknownSystem()
	want.NrOpen, want.FileMax, want.FilesInUse, want.EpollWatches = 1048576, Unlimited, 415, 5491511
	want.PortLow, want.PortHigh, want.PortsReserved = 32768, 60999, 11
	want.WidestReserved, want.PortFloor = 18, 1024
	want.Backlog, want.SynBacklog, want.SynCookies = 4096, 2048, 1
	want.TCPMemMin, want.TCPMemPressure, want.TCPMemPages = 287898, 383867, 575796
	want.ConntrackMax, want.ConntrackCount = 262144, 7
	want.MemTotal, want.MemFree, want.MemAvailable, want.Slab = 24684084*1024, 100*1024, 200*1024, 3*1024
	want.CgroupMax, want.CgroupCurrent = 1000000, 500000
	want.CgroupHigh, want.CgroupHighCurrent = 900000, 4096
	want.PidsMax, want.PidsCurrent = 500, 70

	got := UnknownSystem()
	p.fill(&got)
	if err := errors.Join(p.errs...); err != nil {
		t.Error(err)
	}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestProcCgroup(t *testing.T) {
	tests := []struct {
		name         string
		files        map[string]string
		max, current Value
	}{
		{"none", nil, Unknown, Unknown},
		{
			"a container sees its own group as the root",
			map[string]string{
				"proc/self/cgroup":             "0::/\n",
				"sys/fs/cgroup/memory.max":     "536870912\n",
				"sys/fs/cgroup/memory.current": "1048576\n",
			},
			536870912, 1048576,
		},
		{
			"version 1",
			map[string]string{
				"proc/self/cgroup": "4:memory:/job\n1:cpu:/\n0::/\n",
				"sys/fs/cgroup/memory/job/memory.limit_in_bytes": "9223372036854771712\n",
				"sys/fs/cgroup/memory/job/memory.usage_in_bytes": "10\n",
				"sys/fs/cgroup/memory/memory.limit_in_bytes":     "5000\n",
				"sys/fs/cgroup/memory/memory.usage_in_bytes":     "3000\n",
				"sys/fs/cgroup/memory/memory.stat":               "total_inactive_file 1000\n",
			},
			5000, 2000,
		},
		{
			"version 1 without a limit",
			map[string]string{
				"proc/self/cgroup": "4:memory:/job\n",
				"sys/fs/cgroup/memory/job/memory.limit_in_bytes": "9223372036854771712\n",
				"sys/fs/cgroup/memory/job/memory.usage_in_bytes": "10\n",
			},
			Unlimited, 10,
		},
		{
			"version 2 beside version 1, which has the controller",
			map[string]string{
				"proc/self/cgroup": "4:memory:/job\n0::/\n",
				"sys/fs/cgroup/memory/job/memory.limit_in_bytes": "5000\n",
				"sys/fs/cgroup/memory/job/memory.usage_in_bytes": "10\n",
				"sys/fs/cgroup/unified/memory.pressure":          "some avg10=0\n",
			},
			5000, 10,
		},
		{
			"a path above the mounted root, as inside some containers",
			map[string]string{
				"proc/self/cgroup":         "0::/../../outside\n",
				"sys/fs/cgroup/memory.max": "77\n",
			},
			77, Unknown,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, s := &proc{root: files(tt.files)}, UnknownSystem()
			p.fill(&s)
			if s.CgroupMax != tt.max || s.CgroupCurrent != tt.current || len(p.errs) > 0 {
				t.Errorf("max %v current %v errors %v, want %v %v", s.CgroupMax, s.CgroupCurrent, p.errs, tt.max, tt.current)
			}
		})
	}
}

func TestProcPidsOfVersion1(t *testing.T) {
	p, s := &proc{root: files(map[string]string{
		"proc/42/cgroup":                      "8:pids:/job\n",
		"sys/fs/cgroup/pids/job/pids.max":     "300\n",
		"sys/fs/cgroup/pids/job/pids.current": "12\n",
	}), pid: 42}, UnknownSystem()
	p.fill(&s)
	if s.PidsMax != 300 || s.PidsCurrent != 12 || len(p.errs) > 0 {
		t.Errorf("max %v current %v errors %v", s.PidsMax, s.PidsCurrent, p.errs)
	}
}

func TestProcOpenFiles(t *testing.T) {
	const head = "Limit                     Soft Limit           Hard Limit           Units     \nMax cpu time              unlimited            unlimited            seconds   \n"
	for line, want := range map[string][2]Value{
		"Max open files            1024                 524288               files     \n": {1024, 524288},
		"Max open files            20000                unlimited            files     \n": {20000, Unlimited},
		"Max open files            many                 7                    files     \n": {Unknown, 7},
		"": {Unknown, Unknown},
	} {
		p, s := &proc{root: files(map[string]string{"proc/42/limits": head + line}), pid: 42}, UnknownSystem()
		p.openFiles(&s)
		if s.OpenFiles != want[0] || s.OpenFilesHard != want[1] {
			t.Errorf("%q: %v %v", line, s.OpenFiles, s.OpenFilesHard)
		}
		if strings.Contains(line, "many") != (len(p.errs) > 0) {
			t.Errorf("%q: errors %v", line, p.errs)
		}
	}
}

func TestProcReportsWhatItCannotRead(t *testing.T) {
	p, s := &proc{root: files(map[string]string{
		"proc/sys/fs/nr_open":         "many\n",
		"proc/sys/net/core/somaxconn": "128\n",
		"proc/meminfo":                "MemFree: lots kB\n",
	})}, UnknownSystem()
	p.fill(&s)
	err := errors.Join(p.errs...)
	if err == nil || !strings.Contains(err.Error(), `/proc/sys/fs/nr_open: "many" is not a number`) ||
		!strings.Contains(err.Error(), `/proc/meminfo: MemFree: "lots"`) {
		t.Errorf("error is %v", err)
	}
	if s.NrOpen != Unknown || s.MemFree != Unknown || s.Backlog != 128 {
		t.Errorf("read %+v", s)
	}
}

func TestProcWords(t *testing.T) {
	p := &proc{root: files(map[string]string{
		"proc/cpuinfo": "processor\t: 0\nmodel name\t: Some CPU @ 2.60GHz\nprocessor\t: 1\nmodel name\t: Other\n",
		"sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
	})}
	if got := p.cpuModel(); got != "Some CPU @ 2.60GHz" {
		t.Errorf("CPU model is %q", got)
	}
	if got := p.hugePages(); got != "madvise" {
		t.Errorf("huge pages are %q", got)
	}
	board := &proc{root: files(map[string]string{"proc/cpuinfo": "processor : 0\nModel : Some Board\n"})}
	if got := board.cpuModel(); got != "Some Board" {
		t.Errorf("board is %q", got)
	}
	if none := (&proc{root: files(nil)}); none.cpuModel() != "" || none.hugePages() != "" {
		t.Error("words out of nothing")
	}
}

func FuzzCountPorts(f *testing.F) {
	f.Add("", uint16(32768), uint16(60999))
	f.Add("8080,9000-9010", uint16(1), uint16(65535))
	f.Add("5-3,", uint16(1), uint16(10))
	f.Fuzz(func(t *testing.T, list string, low, high uint16) {
		n, err := countPorts(list, Value(low), Value(high))
		if err != nil {
			if n != Unknown {
				t.Fatalf("%q: %d next to the error %v", list, n, err)
			}
			return
		}
		room := max(0, Value(high)-Value(low)+1)
		if items := Value(strings.Count(list, ",") + 1); n < 0 || n > room*items {
			t.Fatalf("%q: %d reserved of %d", list, n, room)
		}
	})
}
