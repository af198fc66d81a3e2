package sysctl

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func content(t *testing.T, m Machine, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(m.Root, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

func examine(t *testing.T, m Machine, n Need) (System, []Limit) {
	t.Helper()
	s, err := m.Read()
	if err != nil {
		t.Fatal(err)
	}
	return s, Examine(n, s)
}

func TestApplyMendsWhatIsShort(t *testing.T) {
	m := narrow(t)
	need := Need{Connections: 10000, Role: Both}
	s, limits := examine(t, m, need)
	changes, err := m.Apply(s, limits)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		if c.Err != nil || c.Before == c.After || c.Before == "" {
			t.Errorf("%+v", c)
		}
	}
	for name, want := range map[string]string{
		"proc/sys/fs/nr_open":                     "10064",
		"proc/sys/fs/file-max":                    "25785", // 20,628 and a quarter
		"proc/sys/fs/epoll/max_user_watches":      "25160", // 20,128 and a quarter
		"proc/sys/net/ipv4/ip_local_port_range":   "1024 65535",
		"proc/sys/net/core/somaxconn":             "4096",
		"proc/sys/net/ipv4/tcp_max_syn_backlog":   "1024",
		"proc/sys/net/ipv4/tcp_mem":               "10000 15000 20000",
		"proc/sys/net/netfilter/nf_conntrack_max": "12512",
		"proc/sys/net/ipv4/tcp_syncookies":        "0",
		"proc/4711/limits":                        strings.TrimSpace(limitsFile(10064, 10064)),
		"sys/fs/cgroup/web/pids.max":              "20",
	} {
		if got := content(t, m, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	_, limits = examine(t, m, need)
	for _, l := range limits {
		if l.Short != (l.Setting == "pids.max") {
			t.Errorf("afterwards %+v", l)
		}
	}
	// All that is left is nothing that Apply writes.
	if changes, err := m.Apply(s, limits); err != nil || len(changes) != 0 {
		t.Errorf("a second time: %+v, %v", changes, err)
	}
}

func TestApplyLeavesAloneWhatIsNotShort(t *testing.T) {
	m := narrow(t)
	before := map[string]string{}
	err := filepath.WalkDir(m.Root, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			b, _ := os.ReadFile(name)
			before[name] = string(b)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s, limits := examine(t, m, Need{Connections: 500, Role: Server})
	changes, err := m.Apply(s, limits)
	if err != nil {
		t.Fatal(err)
	}
	written := map[string]bool{}
	for _, c := range changes {
		written[c.Setting] = true
	}
	if len(written) != 2 || !written["net.core.somaxconn"] || !written["net.ipv4.tcp_max_syn_backlog"] {
		t.Errorf("wrote %v", written)
	}
	for name, was := range before {
		b, err := os.ReadFile(name)
		backlog := strings.HasSuffix(name, "somaxconn") || strings.HasSuffix(name, "tcp_max_syn_backlog")
		if err != nil || (string(b) != was) != backlog {
			t.Errorf("%s was %q and is %q, %v", name, was, b, err)
		}
	}
}

// Between looking and writing someone else may have raised a setting.
func TestApplyNeverLowers(t *testing.T) {
	m := narrow(t)
	s, limits := examine(t, m, Need{Connections: 10000, Role: Both})
	for name, text := range map[string]string{
		"proc/sys/net/core/somaxconn":           "65535\n",
		"proc/sys/net/ipv4/tcp_mem":             "50000 15000 99999\n",
		"proc/sys/net/ipv4/ip_local_port_range": "500 60000\n",
		"proc/4711/limits":                      limitsFile(1024, Unlimited),
	} {
		if err := os.WriteFile(filepath.Join(m.Root, filepath.FromSlash(name)), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	changes, err := m.Apply(s, limits)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"proc/sys/net/core/somaxconn":           "65535",
		"proc/sys/net/ipv4/tcp_mem":             "50000 15000 99999",
		"proc/sys/net/ipv4/ip_local_port_range": "500 65535",
		"proc/4711/limits":                      strings.TrimSpace(limitsFile(10064, Unlimited)),
	} {
		if got := content(t, m, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for _, c := range changes {
		if c.Err != nil {
			t.Errorf("%+v", c)
		}
		if c.Setting == "net.core.somaxconn" && (c.Before != "65535" || c.After != "65535") {
			t.Errorf("%+v", c)
		}
	}
}

func TestApplyGoesOnAfterARefusal(t *testing.T) {
	m := narrow(t)
	m.SetOpenFiles = func(int, Value, Value) error { return os.NewSyscallError("prlimit", syscall.EPERM) }
	s, limits := examine(t, m, Need{Connections: 10000, Role: Both})
	if err := os.Remove(filepath.Join(m.Root, "proc/sys/fs/nr_open")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(m.Root, "proc/sys/net/ipv4/tcp_mem"), []byte("1 2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	changes, err := m.Apply(s, limits)
	if err != nil {
		t.Fatal(err)
	}
	failed := map[string]string{}
	for _, c := range changes {
		if c.Err != nil {
			failed[c.Setting] = c.Err.Error()
			if c.After != c.Before {
				t.Errorf("failed and changed: %+v", c)
			}
		}
	}
	for setting, want := range map[string]string{
		"fs.nr_open":       "it is not there, as in a container: set it on the host",
		"net.ipv4.tcp_mem": `"1 2" is not the 3 numbers`,
		HardOpenFiles + " of process 4711 (nginx)": "stays at 4096",
		SoftOpenFiles + " of process 4711 (nginx)": "cannot pass the hard limit of 4,096",
	} {
		if !strings.Contains(failed[setting], want) {
			t.Errorf("%s: %q lacks %q", setting, failed[setting], want)
		}
	}
	if len(failed) != 4 || content(t, m, "proc/sys/net/core/somaxconn") != "4096" {
		t.Errorf("failed %v", failed)
	}
}

func TestRefusedSaysWhatToDo(t *testing.T) {
	somaxconn, fileMax := Assignment{"net.core.somaxconn", "4096"}, Assignment{"fs.file-max", "9"}
	byUser := "run this again with sudo"
	if os.Geteuid() == 0 {
		byUser = "refused even to root"
	}
	tests := []struct {
		a    Assignment
		err  error
		want string
	}{
		{somaxconn, syscall.EROFS, `start the container with --sysctl net.core.somaxconn="4096"`},
		{fileMax, syscall.EROFS, "set it on the host: "},
		{somaxconn, syscall.EACCES, byUser},
		{somaxconn, syscall.EPERM, byUser},
		{fileMax, syscall.EINVAL, "the kernel does not take 9"},
	}
	for _, tt := range tests {
		err := refused(tt.a, &fs.PathError{Op: "open", Path: "x", Err: tt.err})
		if !strings.Contains(err.Error(), tt.want) || !errors.Is(err, tt.err) {
			t.Errorf("%s, %v: %v lacks %q", tt.a.Name, tt.err, err, tt.want)
		}
	}
}

func FuzzRaised(f *testing.F) {
	f.Add("net.ipv4.tcp_mem", "1 2 3", "3 2 9")
	f.Add("net.ipv4.ip_local_port_range", "32768 60999", "1024 65535")
	f.Add("fs.file-max", "18446744073709551615", "7")
	f.Add("fs.file-max", "max", "x")
	f.Fuzz(func(t *testing.T, name, before, value string) {
		out, err := raised(Assignment{name, value}, before)
		if err != nil {
			return
		}
		was, is := strings.Fields(before), strings.Fields(out)
		if len(was) != len(is) {
			t.Fatalf("%q became %q", before, out)
		}
		for i := range was {
			old, err1 := parseValue(was[i])
			v, err2 := parseValue(is[i])
			low := i == 0 && strings.HasSuffix(name, "ip_local_port_range")
			if err1 != nil || err2 != nil || low && v > old || !low && v < old {
				t.Fatalf("%s: %q was lowered to %q", name, before, out)
			}
		}
	})
}
