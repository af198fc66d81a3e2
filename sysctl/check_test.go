package sysctl

import (
	"math"
	"strings"
	"testing"
)

// roomy is a machine that nothing stops.
func roomy() System {
	s := UnknownSystem()
	s.OS = "linux"
	s.OpenFiles, s.OpenFilesHard, s.NrOpen = 1<<20, 1<<20, 1<<20
	s.FileMax, s.FilesInUse = Unlimited, 400
	s.EpollWatches = 10_000_000
	s.PortLow, s.PortHigh, s.PortsReserved = 1024, 65535, 0
	s.Backlog, s.SynBacklog = 4096, 4096
	s.TCPMemPages, s.PageSize = 1<<24, 4096
	s.MemTotal, s.MemAvailable, s.MemFree = 64<<30, 60<<30, 50<<30
	return s
}

func find(t *testing.T, limits []Limit, setting string) Limit {
	t.Helper()
	for _, l := range limits {
		if l.Setting == setting {
			return l
		}
	}
	t.Fatalf("no limit %q in %+v", setting, limits)
	return Limit{}
}

func TestCheck(t *testing.T) {
	tests := []struct {
		name    string
		need    Need
		system  func(*System)
		setting string
		short   bool
		hard    bool
		max     int
		needed  string
		mend    []string // parts of it
	}{
		{
			name: "files just enough", need: Need{Connections: 936}, setting: "open files",
			system: func(s *System) { s.OpenFiles = 1000 },
			hard:   true, max: 936, needed: "1,000",
		},
		{
			name: "one file too few, the shell may raise it", need: Need{Connections: 937}, setting: "open files",
			system: func(s *System) { s.OpenFiles, s.OpenFilesHard = 1000, 20000 },
			short:  true, hard: true, max: 936, needed: "1,001",
			mend: []string{"raise it with `ulimit -n 1001` (hard limit 20,000)"},
		},
		{
			name: "hard limit too low", need: Need{Connections: 30000}, setting: "open files",
			system: func(s *System) { s.OpenFiles, s.OpenFilesHard = 20000, 20000 },
			short:  true, hard: true, max: 19936, needed: "30,064",
			mend: []string{"hard limit of 20,000", "sudo prlimit --pid $$ --nofile=30064", "LimitNOFILE="},
		},
		{
			name: "beyond fs.nr_open", need: Need{Connections: 2_000_000}, setting: "open files",
			system: func(*System) {},
			short:  true, hard: true, max: 1<<20 - Reserve, needed: "2,000,064",
			mend: []string{"sudo sysctl -w fs.nr_open=2000064` and then `sudo prlimit"},
		},
		{
			name: "nr_open lowered under the limit", need: Need{Connections: 2000}, setting: "open files",
			system: func(s *System) { s.NrOpen = 1024 },
			short:  true, hard: true, max: 960, needed: "2,064",
			mend: []string{"sysctl -w fs.nr_open=2064"},
		},
		{
			name: "files shared among processes, unevenly", need: Need{Connections: 10001, Processes: 10}, setting: "open files",
			system: func(s *System) { s.OpenFiles = 1064 },
			short:  true, hard: true, max: 10000, needed: "1,065",
			mend: []string{"ulimit -n 1065"},
		},
		{
			name: "fewer files than the reserve", need: Need{Connections: 1}, setting: "open files",
			system: func(s *System) { s.OpenFiles = 20 },
			short:  true, hard: true, max: 0, needed: "65",
			mend: []string{"ulimit -n 65"},
		},
		{
			name: "macOS ceiling", need: Need{Connections: 20000}, setting: "open files",
			system: func(s *System) {
				s.OS = "darwin"
				s.OpenFiles, s.OpenFilesHard, s.NrOpen, s.FileMax = 10240, Unlimited, 10240, 12288
			},
			short: true, hard: true, max: 10176, needed: "20,064",
			mend: []string{"kern.maxfilesperproc=20064", "kern.maxfiles=40128", "ulimit -n 20064"},
		},
		{
			name: "files of the whole machine, both ends", need: Need{Connections: 1000, Role: Both}, setting: "fs.file-max",
			system: func(s *System) { s.FileMax, s.FilesInUse = 2000, 100 },
			short:  true, hard: true, max: (2000 - 100 - 128) / 2, needed: "2,228",
			mend: []string{"sysctl -w fs.file-max=2785"},
		},
		{
			name: "epoll watches of a small machine", need: Need{Connections: 200_000}, setting: "fs.epoll.max_user_watches",
			system: func(s *System) { s.EpollWatches = 178_000 },
			short:  true, hard: true, max: 178_000 - Reserve, needed: "200,064",
			mend: []string{"sysctl -w fs.epoll.max_user_watches=250080"},
		},
		{
			name: "epoll watches of both ends, all processes", need: Need{Connections: 2_000_000, Role: Both, Processes: 101}, setting: "fs.epoll.max_user_watches",
			system: func(s *System) { s.EpollWatches = 4_012_928 },
			hard:   true, max: 2_000_000, needed: "4,012,928",
		},
		{
			name: "one epoll watch too few for both ends", need: Need{Connections: 2_000_000, Role: Both, Processes: 101}, setting: "fs.epoll.max_user_watches",
			system: func(s *System) { s.EpollWatches = 4_012_927 },
			short:  true, hard: true, max: 1_999_999, needed: "4,012,928",
			mend: []string{"sysctl -w fs.epoll.max_user_watches=5016160"},
		},
		{
			name: "ports, default range", need: Need{Connections: 28233, Role: Client}, setting: "net.ipv4.ip_local_port_range",
			system: func(s *System) { s.PortLow, s.PortHigh = 32768, 60999 },
			short:  true, hard: true, max: 28232, needed: "28,233",
			mend: []string{"use 2 source addresses (--source-ip 127.0.0.2-127.0.0.3", `ip_local_port_range="1024 65535"`},
		},
		{
			name: "ports times addresses times destinations", need: Need{Connections: 112928, Role: Both, SourceAddresses: 2, Destinations: 2}, setting: "net.ipv4.ip_local_port_range",
			system: func(s *System) { s.PortLow, s.PortHigh = 32768, 60999 },
			hard:   true, max: 112928, needed: "112,928",
		},
		{
			name: "reserved ports are not handed out", need: Need{Connections: 28232, Role: Client}, setting: "net.ipv4.ip_local_port_range",
			system: func(s *System) { s.PortLow, s.PortHigh, s.PortsReserved = 32768, 60999, 1 },
			short:  true, hard: true, max: 28231, needed: "28,232",
			mend: []string{"use 2 source addresses"},
		},
		{
			name: "explicit ports do not depend on the range", need: Need{Connections: 64000, Role: Client, PortsPerAddress: 64000}, setting: "net.ipv4.ip_local_port_range",
			system: func(s *System) { s.PortLow, s.PortHigh = 32768, 60999 },
			hard:   true, max: 64000, needed: "64,000",
		},
		{
			name: "a range widened already is not advised again", need: Need{Connections: 1_000_000, Role: Client}, setting: "net.ipv4.ip_local_port_range",
			system: func(*System) {},
			short:  true, hard: true, max: 64512, needed: "1,000,000",
			mend: []string{"use 16 source addresses (--source-ip 127.0.0.2-127.0.0.17 if the server is on this machine)"},
		},
		{
			name: "memory for both ends", need: Need{Connections: 1_000_000, Role: Both}, setting: "kernel memory",
			system: func(s *System) { s.MemAvailable = 8 << 30 },
			short:  true, hard: true, max: (8 << 30) / (2 * SocketBytes), needed: "9.3 GiB",
			mend: []string{"free 1.3 GiB"},
		},
		{
			name: "memory by what an end may turn out to take", need: Need{Connections: 2_400_000, Role: Both, BytesPerConnection: 500, SocketBytes: 4000}, setting: "kernel memory",
			system: func(s *System) { s.MemAvailable = 23 << 30 },
			max:    (23 << 30) / 8500, hard: true, needed: "19.0 GiB",
		},
		{
			name: "memory of which some must stay free", need: Need{Connections: 1000, SpareBytes: 1_000_000}, setting: "kernel memory",
			system: func(s *System) { s.MemAvailable = 6_017_999 },
			short:  true, hard: true, max: 999, needed: "4.8 MiB", mend: []string{"free "},
		},
		{
			name: "a container's limit kills", need: Need{Connections: 100_000, SocketBytes: 4000}, setting: "memory.max",
			system: func(s *System) { s.CgroupMax, s.CgroupCurrent = 512<<20, 100<<20 },
			short:  true, hard: true, max: (412 << 20) / SocketBytes, needed: "478.6 MiB",
		},
		{
			name: "memory with the process's share", need: Need{Connections: 1000, BytesPerConnection: 25000}, setting: "kernel memory",
			system: func(s *System) { s.MemAvailable = 30_018_000 },
			hard:   true, max: 1000, needed: "28.6 MiB",
		},
		{
			name: "old kernel without MemAvailable", need: Need{Connections: 1000}, setting: "kernel memory",
			system: func(s *System) { s.MemAvailable, s.MemFree = Unknown, 999*SocketBytes },
			short:  true, hard: true, max: 999, needed: "4.8 MiB", mend: []string{"free 4.9 KiB"},
		},
		{
			name: "container limit", need: Need{Connections: 100_000}, setting: "memory.max",
			system: func(s *System) { s.CgroupMax, s.CgroupCurrent = 512<<20, 100<<20 },
			short:  true, hard: true, max: (412 << 20) / SocketBytes, needed: "478.6 MiB",
			mend: []string{"raise it by 66.6 MiB", "--memory"},
		},
		{
			name: "container over its limit", need: Need{Connections: 1}, setting: "memory.max",
			system: func(s *System) { s.CgroupMax, s.CgroupCurrent = 100, 200 },
			short:  true, hard: true, max: 0, needed: "4.9 KiB", mend: []string{"raise it by"},
		},
		{
			name: "conntrack in use", need: Need{Connections: 300_000}, setting: "net.netfilter.nf_conntrack_max",
			system: func(s *System) { s.ConntrackMax, s.ConntrackCount = 262144, 144 },
			short:  true, hard: true, max: 262000, needed: "300,144",
			mend: []string{"nf_conntrack_max=375180"},
		},
		{
			name: "backlog of old kernels is slow, not deadly", need: Need{Connections: 10000}, setting: "net.core.somaxconn",
			system: func(s *System) { s.Backlog = 128 },
			short:  true, max: math.MaxInt, needed: "4,096", mend: []string{"net.core.somaxconn=4096"},
		},
		{
			name: "a small run needs no long backlog", need: Need{Connections: 100}, setting: "net.core.somaxconn",
			system: func(s *System) { s.Backlog = 128 },
			max:    math.MaxInt, needed: "100",
		},
		{
			name: "syn backlog", need: Need{Connections: 10000}, setting: "net.ipv4.tcp_max_syn_backlog",
			system: func(s *System) { s.SynBacklog = 128 },
			short:  true, max: math.MaxInt, needed: "1,024", mend: []string{"tcp_max_syn_backlog=1024"},
		},
		{
			name: "syn backlog where cookies are sent is not asked", need: Need{Connections: 10000}, setting: "net.ipv4.tcp_max_syn_backlog",
			system: func(s *System) { s.SynBacklog, s.SynCookies = 128, 1 },
			max:    math.MaxInt, needed: "1,024",
		},
		{
			name: "syn backlog without cookies", need: Need{Connections: 10000}, setting: "net.ipv4.tcp_max_syn_backlog",
			system: func(s *System) { s.SynBacklog, s.SynCookies = 128, 0 },
			short:  true, max: math.MaxInt, needed: "1,024", mend: []string{"tcp_max_syn_backlog=1024"},
		},
		{
			name: "tcp_mem for which there is no memory is left alone", need: Need{Connections: 2_000_000, Role: Both, Processes: 101}, setting: "net.ipv4.tcp_mem",
			system: func(s *System) { s.TCPMemPages, s.MemAvailable, s.OpenFiles = 575_796, 22<<30, 20_000 },
			short:  true, max: 287_898, needed: "4,000,000", mend: []string{"leave it: beside the sockets there is memory for 866,777 pages"},
		},
		{
			name: "tcp_mem is not lowered in its other numbers", need: Need{Connections: 1000, Role: Both}, setting: "net.ipv4.tcp_mem",
			system: func(s *System) { s.TCPMemMin, s.TCPMemPressure, s.TCPMemPages = 1900, 1950, 1998 },
			short:  true, max: 999, needed: "2,000", mend: []string{`tcp_mem="1900 1950 2000"`},
		},
		{
			name: "a widened range keeps what is reserved, and may not begin lower than the kernel takes",
			need: Need{Connections: 40000, Role: Client}, setting: "net.ipv4.ip_local_port_range",
			system: func(s *System) {
				s.PortLow, s.PortHigh, s.PortFloor, s.WidestReserved = 32768, 60999, 2000, 100
			},
			short: true, hard: true, max: 28232, needed: "40,000",
			mend: []string{`ip_local_port_range="2000 65535"`},
		},
		{
			name: "too much of the widened range is reserved",
			need: Need{Connections: 64000, Role: Client}, setting: "net.ipv4.ip_local_port_range",
			system: func(s *System) { s.PortLow, s.PortHigh, s.WidestReserved = 32768, 60999, 600 },
			short:  true, hard: true, max: 28232, needed: "64,000",
			mend: []string{"use 3 source addresses (--source-ip 127.0.0.2-127.0.0.4 if the server is on this machine)"},
		},
		{
			name: "threads of a container", need: Need{Connections: 10, Role: Both, Processes: 4}, setting: "pids.max",
			system: func(s *System) { s.PidsMax, s.PidsCurrent, s.CPUs = 100, 5, 2 },
			short:  true, hard: true, max: 0, needed: "133", mend: []string{"raise it to 133", "--pids-limit", "TasksMax="},
		},
		{
			name: "threads enough", need: Need{Connections: 10, Role: Both, Processes: 4}, setting: "pids.max",
			system: func(s *System) { s.PidsMax, s.PidsCurrent, s.CPUs = 133, 5, 2 },
			hard:   true, max: math.MaxInt, needed: "133",
		},
		{
			name: "memory.high slows down", need: Need{Connections: 100_000}, setting: "memory.high",
			system: func(s *System) { s.CgroupHigh, s.CgroupHighCurrent = 512<<20, 100<<20 },
			short:  true, max: (412 << 20) / SocketBytes, needed: "478.6 MiB", mend: []string{"MemoryHigh="},
		},
		{
			name: "tcp_mem is slow, not deadly", need: Need{Connections: 1000, Role: Both}, setting: "net.ipv4.tcp_mem",
			system: func(s *System) { s.TCPMemPages = 1998 },
			short:  true, max: 999, needed: "2,000", mend: []string{`tcp_mem="1000 1500 2000"`},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := roomy()
			tt.system(&s)
			l := find(t, Check(tt.need, s), tt.setting)
			if l.Short != tt.short || l.Hard != tt.hard || l.MaxConnections != tt.max || l.Needed != tt.needed {
				t.Errorf("short %v hard %v max %d needed %q, want %v %v %d %q (%+v)",
					l.Short, l.Hard, l.MaxConnections, l.Needed, tt.short, tt.hard, tt.max, tt.needed, l)
			}
			if l.Why == "" || l.Now == "" {
				t.Errorf("nothing said about it: %+v", l)
			}
			if (l.Mend != "") != tt.short {
				t.Errorf("mend is %q", l.Mend)
			}
			for _, part := range tt.mend {
				if !strings.Contains(l.Mend, part) {
					t.Errorf("mend lacks %q: %s", part, l.Mend)
				}
			}
		})
	}
}

// What a limit says it allows must be allowed, and one more must not be.
func TestCheckMaxConnectionsIsTheEdge(t *testing.T) {
	s := roomy()
	s.OpenFiles, s.FileMax, s.FilesInUse = 5000, 90000, 777
	s.CgroupMax, s.CgroupCurrent = 1<<30, 1<<20
	s.ConntrackMax, s.ConntrackCount = 70000, 3
	s.EpollWatches = 98765
	s.TCPMemPages, s.MemAvailable = 60001, 2<<30
	for _, role := range []Role{Server, Client, Both} {
		need := Need{Connections: 1, Role: role, SourceAddresses: 3, Destinations: 2, Processes: 7}
		for _, l := range Check(need, s) {
			if l.MaxConnections == math.MaxInt {
				continue
			}
			at, above := need, need
			at.Connections, above.Connections = l.MaxConnections, l.MaxConnections+1
			if find(t, Check(at, s), l.Setting).Short {
				t.Errorf("%v: %s is short at its own maximum of %d", role, l.Setting, l.MaxConnections)
			}
			if !find(t, Check(above, s), l.Setting).Short {
				t.Errorf("%v: %s is not short above its own maximum of %d", role, l.Setting, l.MaxConnections)
			}
		}
	}
}

func TestCheckLeavesOut(t *testing.T) {
	has := func(limits []Limit, setting string) bool {
		for _, l := range limits {
			if l.Setting == setting {
				return true
			}
		}
		return false
	}
	if got := Check(Need{Connections: 10000, Role: Both}, UnknownSystem()); len(got) != 0 {
		t.Errorf("a system of which nothing is known has limits: %+v", got)
	}
	s := roomy()
	s.ConntrackMax, s.ConntrackCount = 10, 0
	s.CgroupMax = Unlimited
	limits := Check(Need{Connections: 10000, Role: Server}, s)
	for _, setting := range []string{"net.netfilter.nf_conntrack_max", "memory.max", "net.ipv4.ip_local_port_range"} {
		if has(limits, setting) {
			t.Errorf("%s is judged where it does not apply", setting)
		}
	}
	if has(Check(Need{Connections: 10000, Role: Client}, s), "net.core.somaxconn") {
		t.Error("a client is judged by the server's backlog")
	}
}

func TestRefusal(t *testing.T) {
	tests := []struct {
		name   string
		need   Need
		system func(*System)
		want   string // "" = none
	}{
		{"nothing stops it", Need{Connections: 10000, Role: Both}, func(*System) {}, ""},
		{
			"advice is no reason to refuse",
			Need{Connections: 10000, Role: Both},
			func(s *System) { s.Backlog, s.TCPMemPages = 128, 1000 },
			"",
		},
		{
			"the shell",
			Need{Connections: 10000},
			func(s *System) { s.OpenFiles, s.OpenFilesHard = 4096, 20000 },
			"this shell allows 4,096 open files and 10,000 connections need 10,064: run with -c 4000, or raise it with `ulimit -n 10064` (hard limit 20,000)",
		},
		{
			"the flag of another command",
			Need{Connections: 10000, Flag: "--max-connections"},
			func(s *System) { s.OpenFiles, s.OpenFilesHard = 4096, 20000 },
			"this shell allows 4,096 open files and 10,000 connections need 10,064: run with --max-connections 4000, or raise it with `ulimit -n 10064` (hard limit 20,000)",
		},
		{
			"not even one fits",
			Need{Connections: 10},
			func(s *System) { s.OpenFiles, s.OpenFilesHard = 32, 4096 },
			"this shell allows 32 open files and 10 connections need 74: raise it with `ulimit -n 74` (hard limit 4,096)",
		},
		{
			"two at once: the number fits under both",
			Need{Connections: 100000, Role: Both, Processes: 10},
			func(s *System) {
				s.OpenFiles, s.OpenFilesHard = 4096, 20000
				s.PortLow, s.PortHigh = 32768, 60999
			},
			"2 limits stand in the way of 100,000 connections: run with -c 28000, or fix each\n" +
				"  this shell allows 4,096 open files per process and 100,000 connections in 10 processes need 10,064 in each: raise it with `ulimit -n 10064` (hard limit 20,000)\n" +
				"  28,232 ports from 1 source address to 1 destination make 28,232 connections of 100,000: use 4 source addresses (--source-ip 127.0.0.2-127.0.0.5 if the server is on this machine)",
		},
		{
			"two million, shared out among processes of 20,000 files each",
			Need{Connections: 2_000_000, Role: Both, Processes: 101, SourceAddresses: 101},
			func(s *System) {
				s.OpenFiles, s.OpenFilesHard = 20_000, 20_000
				s.FileMax, s.EpollWatches, s.MemAvailable = 4_100_000, 5_491_511, 22<<30
				s.PidsMax, s.PidsCurrent, s.CPUs = 4000, 100, 2
				s.PortLow, s.PortHigh, s.TCPMemPages = 32768, 60999, 575_796
			},
			"",
		},
		{
			"two million on a small machine: the least of all limits is what fits",
			Need{Connections: 2_000_000, Role: Both, Processes: 101, SourceAddresses: 101},
			func(s *System) {
				s.OpenFiles, s.OpenFilesHard = 20_000, 20_000
				s.EpollWatches, s.PortLow, s.PortHigh = 1_783_000, 32768, 60999
			},
			"the processes of one user may wait for 1,783,000 descriptors with epoll, and 2,000,000 connections need 4,012,928: run with -c 880000, or raise it with `sudo sysctl -w fs.epoll.max_user_watches=5016160`",
		},
		{
			"memory",
			Need{Connections: 10000, Role: Both},
			func(s *System) { s.MemAvailable = 64 << 20 },
			"10,000 connections with both ends here take about 95.7 MiB of kernel memory, and 64.0 MiB of this machine's memory is available: run with -c 6600, or free 31.7 MiB here",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := roomy()
			tt.system(&s)
			err := Refusal(tt.need, Check(tt.need, s))
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// The number that a refusal names must not be refused itself.
func TestRefusalNamesWhatFits(t *testing.T) {
	for n := range 3000 {
		r := roundDown(n)
		if r > n || r < n-n/50-1 && r < n*98/100 {
			t.Errorf("roundDown(%d) = %d", n, r)
		}
	}
	for n, want := range map[int]int{0: 0, 99: 99, 100: 100, 936: 930, 4032: 4000, 19936: 19900, 28232: 28000, 999999: 990000} {
		if got := roundDown(n); got != want {
			t.Errorf("roundDown(%d) = %d, want %d", n, got, want)
		}
	}
}
