//go:build !nonats

package broker

import (
	"testing"

	"example.org/comet/server/internal/admintest"
)

func TestAdminHosts(t *testing.T) {
	r := runRouter(t, Config{})
	admintest.Hosts(t, r.AdminAddr().String(), "/gc")
}

func TestAdminCrossSite(t *testing.T) {
	r := runRouter(t, Config{AdminHosts: []string{"comet.internal"}})
	admintest.CrossSite(t, r.AdminAddr().String(), "/gc")
	for host, want := range map[string]int{"comet.internal": 200, "internal": 403} {
		if got := admintest.Status(t, r.AdminAddr().String(), "POST /gc HTTP/1.1\r\nHost: "+host+"\r\nContent-Length: 0\r\n\r\n"); got != want {
			t.Errorf("Host %s is answered %d, want %d", host, got, want)
		}
	}
	if s := r.Stats(); s.CollectionsForced != 1 {
		t.Errorf("%d collections, want 1", s.CollectionsForced)
	}
}

func TestAdminTokenFromAnywhere(t *testing.T) {
	r := runRouter(t, Config{AdminToken: "sesame"})
	for request, want := range map[string]int{
		"POST /gc HTTP/1.1\r\nHost: evil.example\r\nAuthorization: bearer sesame": 200,
		"POST /gc HTTP/1.1\r\nHost: localhost":                                    401,
		"GET /healthz HTTP/1.1\r\nHost: evil.example":                             200,
		"GET /readyz HTTP/1.1\r\nHost: evil.example":                              200,
		"GET /stats HTTP/1.1\r\nHost: evil.example":                               401,
	} {
		if got := admintest.Status(t, r.AdminAddr().String(), request+"\r\nContent-Length: 0\r\n\r\n"); got != want {
			t.Errorf("%q is answered %d, want %d", request, got, want)
		}
	}
}

func TestAdminIdle(t *testing.T) {
	r := runRouter(t, Config{})
	admintest.Idle(t, r.AdminAddr().String())
}

// TestMaxClients: the clients leave files for the admin listener.
func TestMaxClients(t *testing.T) {
	for files, want := range map[uint64]int{0: 0, 300: 236, 64: 1, 20_000: 19_936, 1 << 20: 0, 1 << 63: 0} {
		if got := maxClients(files); got != want {
			t.Errorf("%d clients with %d files, want %d", got, files, want)
		}
	}
}
