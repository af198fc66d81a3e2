package sysctl

import (
	"slices"
	"strings"
	"testing"
)

func TestExamineOpenFiles(t *testing.T) {
	shell, nginx := Process{10, "bash", true}, Process{4711, "nginx", false}
	tests := []struct {
		name       string
		process    Process
		soft, hard Value
		nrOpen     Value
		short      []string // settings
		mend       map[string]string
		set        []Assignment
	}{
		{"enough", shell, 10064, 10064, 10064, nil, nil, nil},
		{
			"soft limit of a shell", shell, 1024, 524288, 1 << 20,
			[]string{SoftOpenFiles},
			map[string]string{SoftOpenFiles: "`ulimit -Sn 10064` before the server is started"},
			[]Assignment{{SoftOpenFiles, "10064"}},
		},
		{
			"hard limit of a shell", shell, 1024, 4096, 1 << 20,
			[]string{SoftOpenFiles, HardOpenFiles},
			map[string]string{SoftOpenFiles: "raise the hard limit", HardOpenFiles: "share the connections among 3 processes"},
			[]Assignment{{SoftOpenFiles, "10064"}, {HardOpenFiles, "10064"}},
		},
		{
			"a running server", nginx, 1024, 4096, 8192,
			[]string{SoftOpenFiles, HardOpenFiles, "fs.nr_open"},
			map[string]string{HardOpenFiles: "prlimit --pid 4711 --nofile=10064`", "fs.nr_open": "sysctl -w fs.nr_open=10064"},
			[]Assignment{{SoftOpenFiles, "10064"}, {HardOpenFiles, "10064"}, {"fs.nr_open", "10064"}},
		},
		{
			"the soft limit of a running server", nginx, 1024, 20000, 1 << 20,
			[]string{SoftOpenFiles},
			map[string]string{SoftOpenFiles: "prlimit --pid 4711 --nofile=10064:`"},
			[]Assignment{{SoftOpenFiles, "10064"}},
		},
		{
			"nobody to set it on",
			Process{},
			1024, 4096, 1 << 20,
			[]string{SoftOpenFiles, HardOpenFiles},
			nil, nil,
		},
		{"unlimited", shell, Unlimited, Unlimited, 1 << 30, nil, nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := roomy()
			s.Process, s.OpenFiles, s.OpenFilesHard, s.NrOpen = tt.process, tt.soft, tt.hard, tt.nrOpen
			var short []string
			var set []Assignment
			for _, l := range Examine(Need{Connections: 10000}, s) {
				if l.What == "" || l.Why == "" || l.Now == "" || l.Needed == "" {
					t.Errorf("nothing said about it: %+v", l)
				}
				if !l.Short {
					if l.Mend != "" || l.Set != nil {
						t.Errorf("a mend for what is not short: %+v", l)
					}
					continue
				}
				short, set = append(short, l.Setting), append(set, l.Set...)
				if !strings.Contains(l.Mend, tt.mend[l.Setting]) || l.Mend == "" {
					t.Errorf("%s: mend %q lacks %q", l.Setting, l.Mend, tt.mend[l.Setting])
				}
			}
			if !slices.Equal(short, tt.short) || !slices.Equal(set, tt.set) {
				t.Errorf("short %q set %v, want %q %v", short, set, tt.short, tt.set)
			}
		})
	}
}

func TestExamineSharesFilesAmongProcesses(t *testing.T) {
	s := roomy()
	s.OpenFiles = 2064
	l := find(t, Examine(Need{Connections: 10001, Processes: 5}, s), SoftOpenFiles)
	if !l.Short || l.MaxConnections != 10000 || l.NeededValue != 2065 || !strings.Contains(l.Why, "in each of 5 processes") {
		t.Errorf("%+v", l)
	}
}
