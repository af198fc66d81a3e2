package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"example.org/comet/sysctl"
)

// sysctlMachine is a made-up Linux machine with a server, process 4711, that is
// short of a few things for 10,000 connections; files replaces some of its own.
func sysctlMachine(t *testing.T, files map[string]string) sysctl.Machine {
	t.Helper()
	m := sysctl.Machine{Root: t.TempDir(), Process: 4711}
	write := func(name, text string) {
		name = filepath.Join(m.Root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{
		"proc/4711/comm":                          "nginx",
		"proc/4711/limits":                        "Max open files            1024                 65536                files",
		"proc/sys/fs/nr_open":                     "1048576",
		"proc/sys/fs/file-max":                    "800000",
		"proc/sys/fs/file-nr":                     "500 0 800000",
		"proc/sys/fs/epoll/max_user_watches":      "4000000",
		"proc/sys/net/ipv4/ip_local_port_range":   "32768\t60999",
		"proc/sys/net/core/somaxconn":             "128",
		"proc/sys/net/ipv4/tcp_max_syn_backlog":   "2048",
		"proc/sys/net/ipv4/tcp_mem":               "287898 383867 575796",
		"proc/sys/net/netfilter/nf_conntrack_max": "262144", "proc/sys/net/netfilter/nf_conntrack_count": "40",
		"proc/meminfo": "MemAvailable: 8000000 kB",
	} {
		write(name, text)
	}
	for name, text := range files {
		write(name, text)
	}
	m.SetOpenFiles = func(pid int, soft, hard sysctl.Value) error {
		write(fmt.Sprintf("proc/%d/limits", pid), fmt.Sprintf("Max open files  %d  %d  files", int64(soft), int64(hard)))
		return nil
	}
	return m
}

// sysctlOf runs the command for a machine.
func sysctlOf(t *testing.T, m sysctl.Machine, args ...string) (stdout string, code int, err error) {
	t.Helper()
	env, out, _ := testEnv(nil)
	env.Stderr = t.Output()
	cmd := newSysctl(env, m, runSysctl)
	cmd.SetArgs(args)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetFlagErrorFunc(flagError)
	err = cmd.ExecuteContext(t.Context())
	return out.String(), exitCode(err), err
}

const shortTable = `10,000 connections with the server's end on this machine, 1 process

       setting                               now    needed  why
SHORT  open files, soft limit              1,024    10,064  a process holds a file for each connection
       why:  process 4711 (nginx) allows 1,024 open files, and 10,000 connections need 10,064
       fix:  ` + "`sudo prlimit --pid 4711 --nofile=10064:`" + ` until it ends, LimitNOFILE=10064 of its systemd unit for good
ok     open files, hard limit             65,536    10,064  how far a process may raise the soft limit
ok     fs.nr_open                      1,048,576    10,064  ceiling of any process's limit
ok     fs.file-max                       800,000    10,564  files of all processes together
ok     fs.epoll.max_user_watches       4,000,000    10,064  descriptors that all processes of a user wait for with epoll
SHORT  net.core.somaxconn                    128     4,096  connections that may wait to be accepted
       why:  while more than 128 connections wait to be accepted, a client waits a second or more for its retry
       fix:  raise it with ` + "`sudo sysctl -w net.core.somaxconn=4096`" + `
ok     net.ipv4.tcp_max_syn_backlog        2,048     1,024  handshakes that may be under way
ok     net.netfilter.nf_conntrack_max    262,144    10,040  connections that the firewall can keep track of
ok     kernel memory                     7.6 GiB  47.9 MiB  sockets cannot be swapped out; this is what is available
ok     net.ipv4.tcp_mem                  575,796    10,000  pages that all TCP buffers may take

Not judged:
  memory.max, memory.high, pids.max: no control group limits memory or threads here

As it is, 960 connections fit; what stops the next one: open files, soft limit.
`

func TestSysctlTable(t *testing.T) {
	out, code, err := sysctlOf(t, sysctlMachine(t, nil), "--role", "server")
	if out != shortTable {
		t.Errorf("got\n%s\nwant\n%s", out, shortTable)
	}
	if want := "2 of 10 limits are short of 10,000 connections; --apply"; code != exitTarget || !strings.HasPrefix(fmt.Sprint(err), want) {
		t.Errorf("exit code %d, %v; want 3, %s", code, err, want)
	}
	out, code, err = sysctlOf(t, sysctlMachine(t, nil), "-c", "100")
	if code != exitDone || err != nil || strings.Contains(out, "SHORT") {
		t.Errorf("exit code %d, %v:\n%s", code, err, out)
	}
}

// What needs an aligned table of its own on no other figure: ports times
// addresses, and the flags that say how many.
func TestSysctlSources(t *testing.T) {
	for args, want := range map[string]int{
		"":                                  exitTarget,
		"--sources 2":                       exitDone,
		"--source-ip 127.0.0.2-127.0.0.3":   exitDone,
		"--destinations 2":                  exitDone,
		"--source-ip 127.0.0.2 --sources=2": exitUsage,
	} {
		all := append([]string{"-c", "50k", "--role", "client", "--processes", "100"}, strings.Fields(args)...)
		out, code, err := sysctlOf(t, sysctlMachine(t, nil), all...)
		if code != want {
			t.Errorf("%q: exit code %d, want %d: %v\n%s", args, code, want, err, out)
		}
	}
}

func TestSysctlApply(t *testing.T) {
	m := sysctlMachine(t, nil)
	out, code, err := sysctlOf(t, m, "--role", "server", "--apply")
	if code != exitDone || err != nil {
		t.Errorf("exit code %d, %v", code, err)
	}
	const want = `       setting                                       before  after
wrote  net.core.somaxconn                            128     4096
wrote  open files, soft limit of process 4711 (nginx)  1024    10064
`
	if squeeze(out[:strings.Index(out, "\n\n")+1]) != squeeze(want) || strings.Contains(out, "SHORT") {
		t.Errorf("got\n%s", out)
	}
	b, err := os.ReadFile(filepath.Join(m.Root, "proc/sys/net/core/somaxconn"))
	if err != nil || string(b) != "4096\n" {
		t.Errorf("the file holds %q, %v", b, err)
	}
	out, code, err = sysctlOf(t, m, "--role", "server", "--apply")
	if code != exitDone || err != nil || !strings.HasPrefix(out, "Nothing is short, so nothing was written.\n") {
		t.Errorf("a second time: exit code %d, %v\n%s", code, err, out)
	}
}

// squeeze makes blanks alike, for what is not about columns.
func squeeze(s string) string { return strings.Join(strings.Fields(s), " ") }

func TestSysctlApplyRefused(t *testing.T) {
	m := sysctlMachine(t, nil)
	m.SetOpenFiles = func(int, sysctl.Value, sysctl.Value) error { return os.NewSyscallError("prlimit", syscall.EPERM) }
	out, code, err := sysctlOf(t, m, "--role", "server", "--apply")
	if code != exitFailed || !strings.Contains(fmt.Sprint(err), "1 of 2 settings could not be written:\n  sysctl: the open files, soft limit of process 4711 (nginx) stays at 1024: ") {
		t.Errorf("exit code %d, %v", code, err)
	}
	for _, part := range []string{"wrote    net.core.somaxconn", "REFUSED  open files, soft limit", "SHORT  open files, soft limit"} {
		if !strings.Contains(out, part) {
			t.Errorf("lacks %q:\n%s", part, out)
		}
	}
}

func TestSysctlApplyLeavesTheRest(t *testing.T) {
	m := sysctlMachine(t, map[string]string{"proc/meminfo": "MemAvailable: 40000 kB", "proc/sys/net/core/somaxconn": "4096"})
	out, code, err := sysctlOf(t, m, "-c", "9k", "--role", "server", "--processes", "20", "--apply")
	if code != exitTarget || !strings.Contains(fmt.Sprint(err), "cannot be written at run time") ||
		!strings.HasPrefix(out, "Nothing of what is short can be written at run time") {
		t.Errorf("exit code %d, %v\n%s", code, err, out)
	}
}

func TestSysctlConf(t *testing.T) {
	out, code, err := sysctlOf(t, sysctlMachine(t, nil), "--role", "server", "--conf")
	if code != exitDone || err != nil {
		t.Errorf("exit code %d, %v", code, err)
	}
	var set []string
	for line := range strings.Lines(out) {
		if line != "\n" && line[0] != '#' {
			set = append(set, line)
		}
	}
	if len(set) != 1 || set[0] != "net.core.somaxconn = 4096\n" || !strings.Contains(out, "\n# LimitNOFILE=10064\n") {
		t.Errorf("sets %q:\n%s", set, out)
	}
}

func TestSysctlJSON(t *testing.T) {
	out, code, err := sysctlOf(t, sysctlMachine(t, nil), "--role", "server", "--json", "--apply", "-c", "2M")
	if code != exitTarget || strings.Count(out, "\n") != 1 {
		t.Fatalf("exit code %d, %v: %s", code, err, out)
	}
	var got struct {
		Type        string
		Connections int
		Role        string
		Short       int
		Max         *int `json:"max_connections"`
		Limits      []struct {
			Setting     string
			Now, Needed *int64
			Short       bool
			Max         *int `json:"max_connections"`
			Set         []sysctl.Assignment
		}
		NotJudged []string `json:"not_judged"`
		Changes   []struct{ Setting, Before, After, Error string }
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	// After the rest was written, the memory stays short.
	if got.Type != "result" || got.Connections != 2_000_000 || got.Role != "server" || got.Short != 1 ||
		got.Max == nil || *got.Max != 8000000*1024/sysctl.SocketBytes {
		t.Errorf("%+v", got)
	}
	for _, l := range got.Limits {
		if l.Short != (l.Setting == "kernel memory") || l.Now == nil || l.Needed == nil || l.Set == nil ||
			(l.Max == nil) != strings.Contains(l.Setting, "omaxconn") && l.Setting != "net.ipv4.tcp_max_syn_backlog" {
			t.Errorf("%+v", l)
		}
	}
	for _, c := range got.Changes {
		if c.Error != "" || c.Before == c.After {
			t.Errorf("%+v", c)
		}
	}
	if len(got.Changes) != 7 {
		t.Errorf("changes %+v", got.Changes)
	}
}

func TestSysctlUsage(t *testing.T) {
	tooMany := "--connections must be from 1 to"
	if strconv.IntSize == 32 {
		tooMany = "is too much" // the flag's own words
	}
	tests := []struct{ args, want string }{
		{"-c 0", "--connections: \"0\" is too little: use 1 or more"},
		{"-c 9223372036854775807", tooMany},
		{"-c many", "not a count"},
		{"--processes 0", "--processes: \"0\" is too little"},
		{"--role proxy", "server, client or both"},
		{"--source-ip nowhere", "nowhere"},
		{"--apply --conf", "exclude each other"},
		{"--json --conf", "not JSON"},
		{"--pid 0", "process id"},
		{"--pid 4712", "process 4712"},
		{"now", "now"},
	}
	for _, tt := range tests {
		out, code, err := sysctlOf(t, sysctlMachine(t, nil), strings.Fields(tt.args)...)
		if code != exitUsage || out != "" || !strings.Contains(fmt.Sprint(err), tt.want) {
			t.Errorf("sysctl %s: exit code %d, printed %q, error %v; want 2 and %q", tt.args, code, out, err, tt.want)
		}
	}
}

// The machine that the test runs on is read and left alone.
func TestSysctlOfThisMachine(t *testing.T) {
	out, code, err := sysctlOf(t, sysctl.Machine{}, "-c", "1", "--processes", "1", "--role", "client")
	switch runtime.GOOS {
	case "linux", "darwin":
		if code != exitDone && code != exitTarget || !strings.Contains(out, "open files") {
			t.Errorf("exit code %d, %v\n%s", code, err, out)
		}
	default:
		if code != exitFailed || !strings.Contains(fmt.Sprint(err), runtime.GOOS) {
			t.Errorf("exit code %d, %v\n%s", code, err, out)
		}
	}
	// As does the alias, from the root command.
	var stdout strings.Builder
	env := &Env{Stdout: &stdout, Stderr: t.Output(), Getenv: func(string) string { return "" }}
	if code := Run(t.Context(), env, []string{"doctor", "--help"}); code != exitDone || !strings.Contains(stdout.String(), "--apply") {
		t.Errorf("comet doctor --help: exit code %d\n%s", code, stdout.String())
	}
}
