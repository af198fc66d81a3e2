package bench

import "testing"

func TestFindCounter(t *testing.T) {
	const text = "TcpExt: SyncookiesSent ListenOverflows ListenDrops\n" +
		"TcpExt: 1 22 333\nIpExt: InNoRoutes ListenOverflows\nIpExt: 4 5\n"
	if n := findCounter(text, "TcpExt:", "ListenOverflows"); n == nil || *n != 22 {
		t.Errorf("ListenOverflows: %v, want 22", n)
	}
	for _, group := range []string{"TcpExt:", "UdpExt:"} {
		if n := findCounter(text, group, "NotThere"); n != nil {
			t.Errorf("%s NotThere: %d, want none", group, *n)
		}
	}
}
