//go:build system

package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// failing runs comet by a shell, which does something before, and returns its exit
// code and the first line that it prints to standard error.
func failing(t *testing.T, unshared bool, before string, args ...string) (code int, first string) {
	t.Helper()
	words := append([]string{"sh", "-c", before + `; exec comet "$@"`, "sh"}, args...)
	if unshared {
		words = append([]string{"unshare", "-n"}, words...)
	}
	cmd := exec.CommandContext(t.Context(), words[0], words[1:]...)
	cmd.Dir = t.TempDir()
	var said output
	cmd.Stderr = &said
	_ = cmd.Run() // its code says the same
	first, _, _ = strings.Cut(said.said(), "\n")
	return cmd.ProcessState.ExitCode(), first
}

// commandsTo returns command lines that connect to an address, and for each what
// its first line must hold: of those of flood, and of the others.
func commandsTo(address, flood, others string) map[string][]string {
	url := "http://" + address
	return map[string][]string{
		"flood -q -c 2 -d 6s --connect-timeout 2s " + url + "/{id}":                                                       {flood},
		"bench -q -c 10 -d 1s --idle 1s --connect-timeout 2s --out r --url " + url + "/{id} --publish " + url + "/p/{id}": {flood},
		"msggen -q --to " + url + " -r 10 --max-id 1 --count 1":                                                           {others},
		"msggen -q --publish " + url + "/{id} -r 10 --max-id 1 --count 1":                                                 {others},
		"send --to " + url + " 1 hello":                                                                                   {others},
		fmt.Sprintf("memlog -q --pid %d --interval 300ms -d 1s --stats %s/stats", os.Getpid(), url):                       {others},
	}
}

// TestSystemNetworkFailures: what only a network can do is named by each command
// that connects, with what to do.
func TestSystemNetworkFailures(t *testing.T) {
	const setUp = "ip link set lo up; ip route add unreachable 10.9.1.0/24; ip route add prohibit 10.9.2.0/24; ip route add blackhole 10.9.3.0/24"
	for name, c := range map[string]struct{ address, flood, others string }{
		"no route at all":  {"192.0.2.1:80", "no route to that address", "no route to that address"},
		"host unreachable": {"10.9.1.1:80", "its host is down (connect: no route to host)", "no route to that address"},
		"prohibited":       {"10.9.2.1:80", "firewall rule of this machine forbids", "firewall rule of this machine forbids"},
		"thrown away":      {"10.9.3.1:80", "firewall rule of this machine forbids", "firewall rule of this machine forbids"},
		"a full queue":     {peerWithFullQueue(t), "accept queue may overflow", "did not respond"},
		"accepted, silent": {silentPeer(t), "took the connection and the request", "took the connection and the request"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			own, before := strings.Contains(c.flood, "route") || strings.Contains(c.flood, "rule"), "true"
			if own {
				if os.Geteuid() != 0 {
					t.Skip("a network namespace takes root")
				}
				need(t, "ip")
				need(t, "unshare")
				before = setUp
			}
			var commands sync.WaitGroup
			defer commands.Wait()
			for line, want := range commandsTo(c.address, c.flood, c.others) {
				if name == "accepted, silent" && strings.Contains(line, "--publish") && strings.HasPrefix(line, "msggen") {
					want = []string{"has not answered 1 requests", "see the log of the server"} // it asks each message for itself
				}
				commands.Go(func() {
					code, first := failing(t, own, before, strings.Fields(line)...)
					expect(t, line, first, want)
					if code != 1 && !strings.HasPrefix(line, "memlog") {
						t.Errorf("%s: exit code %d, want 1", line, code)
					}
				})
			}
		})
	}
}

// TestSystemShortOfFiles: so is a limit of open files that is too low, or a source
// address of another machine.
func TestSystemShortOfFiles(t *testing.T) {
	server, addr, admin := startServer(t)
	url := "http://" + addr + "/test/{id}"
	out := filepath.Join(t.TempDir(), "r")
	for _, c := range []struct {
		code               int
		before, line, want string
	}{
		{2, "ulimit -n 30", "flood -q -c 100 -d 1s " + url, "raise the hard limit of 30"},
		{2, "ulimit -n 30", "bench -q -c 100 -d 1s --idle 1s --out " + out, "raise the hard limit of 30"},
		{1, "ulimit -n 30", "msggen -q --publish " + url + " --publish-connections 100 -r 10 --max-id 1 --count 1", "`ulimit -n`"},
		{1, "true", "flood -q -c 2 -d 1s --source-ip 192.0.2.1 " + url, "(--source-ip) are not addresses of this machine"},
		{1, "true", "bench -q -c 10 -d 1s --idle 1s --source-ip 192.0.2.1 --out " + out, "(--source-ip) are not addresses of this machine"},
		{0, "ulimit -n 30", "send --to http://" + admin + " 1 hello", ""},
	} {
		code, first := failing(t, false, c.before, strings.Fields(c.line)...)
		expect(t, c.line, first, []string{c.want})
		if code != c.code {
			t.Errorf("%s: exit code %d, want %d", c.line, code, c.code)
		}
	}
	if ended(server) {
		t.Error("the server has ended")
	}
}

// peerWithFullQueue listens with an accept queue that is full: the kernel drops
// further SYNs (listen(2), tcp(7)).
func peerWithFullQueue(t *testing.T) string {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	at, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", at.(*unix.SockaddrInet4).Port)
	for range 3 {
		conn, err := net.DialTimeout("tcp", address, 200*time.Millisecond)
		if err != nil {
			return address
		}
		t.Cleanup(func() { conn.Close() })
	}
	t.Fatal("the queue takes any number")
	return ""
}
