package sysctl

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tree writes a Linux system's files into a directory of its own.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		name = filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// limitsFile is /proc/PID/limits.
func limitsFile(soft, hard Value) string {
	return fmt.Sprintf("Limit                     Soft Limit           Hard Limit           Units\n"+
		"Max open files            %-20s %-20s files\n", plain(soft), plain(hard))
}

// narrow is a machine that is short of everything, with process 4711 on it.
func narrow(t *testing.T) Machine {
	t.Helper()
	m := Machine{Process: 4711, Root: tree(t, map[string]string{
		"proc/4711/comm":                            "nginx\n",
		"proc/4711/limits":                          limitsFile(1024, 4096),
		"proc/4711/cgroup":                          "0::/web\n",
		"sys/fs/cgroup/web/pids.max":                "20\n",
		"sys/fs/cgroup/web/pids.current":            "3\n",
		"proc/sys/fs/nr_open":                       "8192\n",
		"proc/sys/fs/file-max":                      "9000\n",
		"proc/sys/fs/file-nr":                       "500\t0\t9000\n",
		"proc/sys/fs/epoll/max_user_watches":        "7000\n",
		"proc/sys/net/ipv4/ip_local_port_range":     "32768\t33767\n",
		"proc/sys/net/ipv4/ip_local_reserved_ports": "\n",
		"proc/sys/net/core/somaxconn":               "128\n",
		"proc/sys/net/ipv4/tcp_max_syn_backlog":     "128\n",
		"proc/sys/net/ipv4/tcp_syncookies":          "0\n",
		"proc/sys/net/ipv4/tcp_mem":                 "100\t9000\t9500\n",
		"proc/sys/net/netfilter/nf_conntrack_max":   "5000\n",
		"proc/sys/net/netfilter/nf_conntrack_count": "10\n",
		"proc/meminfo":                              "MemTotal: 4000000 kB\nMemAvailable: 3000000 kB\n",
	})}
	m.SetOpenFiles = func(pid int, soft, hard Value) error {
		return os.WriteFile(filepath.Join(m.Root, fmt.Sprintf("proc/%d/limits", pid)), []byte(limitsFile(soft, hard)), 0o644)
	}
	return m
}

func TestMachineReadsAnotherProcess(t *testing.T) {
	s, err := narrow(t).Read()
	if err != nil {
		t.Fatal(err)
	}
	if s.OS != "linux" || s.OpenFiles != 1024 || s.OpenFilesHard != 4096 || s.NrOpen != 8192 || s.PidsMax != 20 ||
		s.Process != (Process{PID: 4711, Name: "nginx"}) {
		t.Errorf("read %+v", s)
	}
	m := narrow(t)
	m.Process = 4712
	if _, err := m.Read(); !errors.Is(err, ErrNoProcess) || !strings.Contains(err.Error(), "4712") {
		t.Errorf("a process that is not there: %v", err)
	}
}

func TestShellIsLookedForThroughSudo(t *testing.T) {
	p := &proc{root: files(map[string]string{
		"proc/1/comm":   "systemd\n",
		"proc/10/comm":  "bash\n",
		"proc/10/stat":  "10 (bash) S 1 10 10 0\n",
		"proc/20/comm":  "sudo\n",
		"proc/20/stat":  "20 (su do) x) S 10 20 10 0\n",
		"proc/30/comm":  "sudo\n",
		"proc/30/stat":  "30 (sudo) S 20 20 10 0\n",
		"proc/40/comm":  "sudo\n",
		"proc/40/stat":  "40 (sudo) S 1 40 40 0\n",
		"proc/50/comm":  "sudo\n", // without a stat
		"proc/900/comm": "systemd\n",
	})}
	bash := Process{PID: 10, Name: "bash", Shell: true}
	for pid, want := range map[int]Process{10: bash, 20: bash, 30: bash, 40: {}, 50: {}, 1: {}, 0: {}, 900: {}, 77: {}} {
		if got := p.shell(pid); got != want {
			t.Errorf("started by %d: %+v, want %+v", pid, got, want)
		}
	}
	if err := errors.Join(p.errs...); err != nil {
		t.Error(err)
	}
}

func TestRemarksSayWhatIsNotJudged(t *testing.T) {
	all := func(s System, role Role) string {
		return strings.Join(Machine{}.Remarks(Need{Role: role}, s), "\n")
	}
	if out := all(UnknownSystem(), Server); !strings.Contains(out, "net.core.somaxconn: not shown") ||
		!strings.Contains(out, "net.ipv4.tcp_mem: only the host") || strings.Contains(out, "port_range") {
		t.Errorf("nothing known, server:\n%s", out)
	}
	if out := all(UnknownSystem(), Client); !strings.Contains(out, "ip_local_port_range: not shown") || strings.Contains(out, "somaxconn") {
		t.Errorf("nothing known, client:\n%s", out)
	}
	s := roomy()
	s.Process = Process{PID: 7, Name: "bash", Shell: true}
	s.ConntrackMax, s.ConntrackCount, s.CgroupMax = 10, 1, 1<<30
	if out := all(s, Both); out != "" {
		t.Errorf("everything known:\n%s", out)
	}
	s.ConntrackCount = 0
	if out := all(s, Both); !strings.Contains(out, "tracks nothing here") {
		t.Errorf("idle conntrack:\n%s", out)
	}
	s.OS = "darwin"
	if out := all(s, Both); !strings.Contains(out, "macOS has none") || strings.Contains(out, "/proc") {
		t.Errorf("macOS:\n%s", out)
	}
}
