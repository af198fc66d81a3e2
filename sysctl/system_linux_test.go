//go:build system

package sysctl

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The tests with the build tag system write real settings and need root:
//
//	sudo go test -tags system -run System ./sysctl
//
// They run in a child process with a network namespace of its own, whose
// settings end with it; the machine's are compared before and after.

// inside is set for the child to the namespace that it must not find itself in.
const inside = "COMET_SYSTEM_TEST_OUTSIDE"

// netSettings are those that every network namespace has for itself.
var netSettings = []string{
	"net/core/somaxconn", "net/ipv4/ip_local_port_range", "net/ipv4/ip_local_reserved_ports",
	"net/ipv4/tcp_max_syn_backlog", "net/ipv4/tcp_syncookies",
}

func TestSystem(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("making a network namespace needs root")
	}
	outside, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	before := map[string]string{}
	for _, name := range append([]string{"fs/nr_open", "fs/file-max", "net/ipv4/tcp_mem"}, netSettings...) {
		before[name], _ = readFields("/proc/sys/" + name) // a container may lack one
	}
	child := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestInside", "-test.v")
	child.Env = append(os.Environ(), inside+"="+outside)
	child.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	out, err := child.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(out), "--- PASS: TestInside"); n != 3 {
		t.Errorf("%d tests passed in the namespace, want 3", n)
	}
	for name, was := range before {
		if is, _ := readFields("/proc/sys/" + name); is != was {
			t.Errorf("%s of the machine was %q and is %q", name, was, is)
		}
	}
}

// narrowNamespace lowers the settings of the namespace that the test is in,
// after it has made sure that it is one of its own.
func narrowNamespace(t *testing.T, settings map[string]string) {
	t.Helper()
	outside := os.Getenv(inside)
	if outside == "" {
		t.Skip("runs inside TestSystem only")
	}
	if here, err := os.Readlink("/proc/self/ns/net"); err != nil || here == outside {
		t.Fatalf("this is the machine's own network namespace, or an unknown one: %v", err)
	}
	for name, value := range settings {
		if err := writeFile("/proc/sys/"+name, value); err != nil {
			t.Fatal(err)
		}
	}
	loopbackUp(t)
}

func loopbackUp(t *testing.T) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		t.Fatal(err)
	}
	lo.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo); err != nil {
		t.Fatal(err)
	}
}

// applyHere mends what is short of need, but nothing outside the namespace.
func applyHere(t *testing.T, need Need) {
	t.Helper()
	s, limits := examine(t, Machine{}, need)
	var own []Limit
	for _, l := range limits {
		for _, name := range netSettings {
			if l.Setting == strings.ReplaceAll(name, "/", ".") {
				own = append(own, l)
			}
		}
	}
	changes, err := Machine{}.Apply(s, own)
	if err != nil {
		t.Fatal(err)
	}
	if len(changes) == 0 {
		t.Fatal("nothing was short")
	}
	for _, c := range changes {
		t.Logf("%s: %s -> %s", c.Setting, c.Before, c.After)
		if c.Err != nil || c.Before == c.After {
			t.Errorf("%+v", c)
		}
	}
	_, limits = examine(t, Machine{}, need)
	for _, l := range limits {
		if l.Short && l.Setting == changes[0].Setting {
			t.Errorf("still short: %+v", l)
		}
	}
}

// A listener holds one connection more than net.core.somaxconn, and the kernel
// counts each further one in ListenOverflows; after Apply there are none.
func TestInsideBacklogIsTheLimit(t *testing.T) {
	narrowNamespace(t, map[string]string{"net/core/somaxconn": "16"})
	const connects = 200
	if got := overflows(t, connects); got != connects-17 {
		t.Errorf("a backlog of 16 overflowed %d times at %d connects, want %d", got, connects, connects-17)
	}
	applyHere(t, Need{Connections: connects, Role: Server})
	if got := overflows(t, connects); got != 0 {
		t.Errorf("after Apply it overflowed %d times", got)
	}
}

// overflows connects n times to a listener that accepts nothing. On loopback
// the kernel has decided about each before connect(2) returns.
func overflows(t *testing.T, n int) int {
	t.Helper()
	listener := listen(t)
	address, err := unix.Getsockname(listener)
	if err != nil {
		t.Fatal(err)
	}
	before := listenOverflows(t)
	for range n {
		fd := socket(t)
		if err := unix.SetNonblock(fd, true); err != nil {
			t.Fatal(err)
		}
		if err := unix.Connect(fd, address); err != nil && err != unix.EINPROGRESS {
			t.Fatal(err)
		}
	}
	return listenOverflows(t) - before
}

func listen(t *testing.T) int {
	t.Helper()
	fd := socket(t)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: 8000 + fd}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 65535); err != nil {
		t.Fatal(err)
	}
	return fd
}

func socket(t *testing.T) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

func listenOverflows(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/net/netstat")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(b), "\n")
	for i := 0; i+1 < len(lines); i += 2 {
		values := strings.Fields(lines[i+1])
		for j, key := range strings.Fields(lines[i]) {
			if key == "ListenOverflows" {
				n, err := strconv.Atoi(values[j])
				if err != nil {
					t.Fatal(err)
				}
				return n
			}
		}
	}
	t.Fatal("this kernel counts no ListenOverflows")
	return 0
}

// Ports less the reserved ones, times addresses, are all the connections there
// are, as Examine says, to the last one.
func TestInsidePortsAreTheLimit(t *testing.T) {
	narrowNamespace(t, map[string]string{
		"net/core/somaxconn":               "4096",
		"net/ipv4/ip_local_port_range":     "40000 40019",
		"net/ipv4/ip_local_reserved_ports": "40003,40010-40011",
	})
	need := Need{Connections: 100, Role: Client, SourceAddresses: 2}
	s, limits := examine(t, Machine{}, need)
	l := find(t, limits, "net.ipv4.ip_local_port_range")
	if !l.Short || l.MaxConnections != 34 {
		t.Errorf("%d ports of %+v: %+v", s.ports(), s, l)
	}
	if got := connectAll(t, 100); got != l.MaxConnections {
		t.Errorf("%d connections came about, Examine says %d", got, l.MaxConnections)
	}
	applyHere(t, need)
	if got := connectAll(t, 100); got != 100 {
		t.Errorf("after Apply %d connections came about", got)
	}
}

// connectAll connects up to n times from each of two addresses in turn to a
// listener of its own, and tells how many there were when the ports ran out.
func connectAll(t *testing.T, n int) int {
	t.Helper()
	address, err := unix.Getsockname(listen(t))
	if err != nil {
		t.Fatal(err)
	}
	made := 0
	for source := range byte(2) {
		for made < n {
			fd := socket(t)
			if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
				t.Fatal(err)
			}
			if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 2 + source}}); err != nil {
				t.Fatal(err)
			}
			if err := unix.Connect(fd, address); err == unix.EADDRNOTAVAIL {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			made++
		}
	}
	return made
}

// The open files of another process are raised, and it can then open as many.
func TestInsideOpenFilesOfAProcess(t *testing.T) {
	narrowNamespace(t, nil)
	child := exec.CommandContext(t.Context(), "sh", "-c", "ulimit -Sn 100; echo ready; read line; ulimit -Sn")
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 6)
	if _, err := out.Read(line); err != nil {
		t.Fatal(err)
	}
	m := Machine{Process: child.Process.Pid}
	s, limits := examine(t, m, Need{Connections: 200})
	soft := find(t, limits, SoftOpenFiles)
	if s.OpenFiles != 100 || !soft.Short {
		t.Errorf("read %+v", soft)
	}
	changes, err := m.Apply(s, []Limit{soft})
	if err != nil || len(changes) != 1 || changes[0].Err != nil || changes[0].After != "264" {
		t.Errorf("%+v, %v", changes, err)
	}
	if _, err := in.Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 16)
	n, err := out.Read(answer)
	if err != nil || strings.TrimSpace(string(answer[:n])) != "264" {
		t.Errorf("the process says %q, %v", answer[:n], err)
	}
	if err := child.Wait(); err != nil {
		t.Error(err)
	}
}
