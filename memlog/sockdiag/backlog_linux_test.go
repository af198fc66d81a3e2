package sockdiag

import (
	"net/netip"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// TestBacklog reads what listeners asked for in listen(2).
func TestBacklog(t *testing.T) {
	c := openCounter(t)
	if c.Fallback() != nil {
		t.Skipf("netlink is not permitted here: %v", c.Fallback())
	}
	listen := func(addr [4]byte, backlog int) uint16 {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: addr}); err != nil {
			t.Fatal(os.NewSyscallError("bind", err))
		}
		if err := unix.Listen(fd, backlog); err != nil {
			t.Fatal(os.NewSyscallError("listen", err))
		}
		at, err := unix.Getsockname(fd)
		if err != nil {
			t.Fatal(err)
		}
		return uint16(at.(*unix.SockaddrInet4).Port)
	}
	small, large := listen([4]byte{127, 0, 0, 1}, 3), listen([4]byte{}, 17)
	loopback := netip.MustParsePrefix("127.0.0.1/32")
	for _, test := range []struct {
		name    string
		filters []Filter
		want    int64
	}{
		{"small", []Filter{{Port: small}}, 3},
		{"by its address", []Filter{{Prefix: loopback, Port: small}}, 3},
		{"a wildcard", []Filter{{Port: large}}, 17},
		{"a wildcard is at no address", []Filter{{Prefix: loopback, Port: large}}, 0},
		{"the least", []Filter{{Port: large}, {Port: small}}, 3},
		{"no listener", []Filter{{Port: 1}}, 0},
	} {
		got, err := c.Backlog(test.filters)
		if err != nil || got != test.want {
			t.Errorf("%s: %d, %v; want %d", test.name, got, err, test.want)
		}
	}
}
