package server

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"example.org/comet/server/internal/admintest"
)

func TestAdminHosts(t *testing.T) {
	r := start(t, Config{Engine: Goroutine})
	admintest.Hosts(t, r.AdminAddr().String(), "/send/1")
}

func TestAdminHostNames(t *testing.T) {
	r := start(t, Config{Engine: Goroutine, AdminHosts: []string{"comet.internal"}})
	for host, want := range map[string]int{"comet.internal:8001": 200, "COMET.internal.": 200, "comet": 403, "x.comet.internal": 403} {
		if got := admintest.Status(t, r.AdminAddr().String(), "POST /send/1 HTTP/1.1\r\nHost: "+host+"\r\nContent-Length: 0\r\n\r\n"); got != want {
			t.Errorf("Host %s is answered %d, want %d", host, got, want)
		}
	}
}

func TestAdminTokenFromAnywhere(t *testing.T) {
	r := start(t, Config{Engine: Goroutine, AdminToken: "sesame"})
	for request, want := range map[string]int{
		"POST /send/1 HTTP/1.1\r\nHost: evil.example\r\nAuthorization: bearer sesame":       200,
		"POST /send/1 HTTP/1.1\r\nHost: localhost":                                          401,
		"GET /healthz HTTP/1.1\r\nHost: evil.example":                                       200,
		"GET /readyz HTTP/1.1\r\nHost: evil.example":                                        200,
		"GET /stats HTTP/1.1\r\nHost: evil.example":                                         401,
		"GET /stats HTTP/1.1\r\nHost: localhost\r\nAuthorization: bEARER sesame":            200,
		"GET http://a.example/stats HTTP/1.1\r\nHost: b.example\r\nAuthorization: x sesame": 401,
	} {
		if got := admintest.Status(t, r.AdminAddr().String(), request+"\r\nContent-Length: 0\r\n\r\n"); got != want {
			t.Errorf("%q is answered %d, want %d", request, got, want)
		}
	}
}

func TestAdminCrossSite(t *testing.T) {
	r := start(t, Config{Engine: Goroutine})
	admintest.CrossSite(t, r.AdminAddr().String(), "/send/1", "/send", "/gc")
	if s := r.Stats(); s.Sent != 0 {
		t.Errorf("%d messages were taken", s.Sent)
	}
}

// TestAdminIdle: whoever fills the admin listener does not silence it, and an
// intake that is quiet meanwhile lives on.
func TestAdminIdle(t *testing.T) {
	t.Parallel()
	r := start(t, Config{Engine: Goroutine})
	address := r.AdminAddr().String()
	c := r.stream("1")
	body, lines := io.Pipe()
	answered := make(chan string, 1)
	go func() {
		resp, err := r.web.Post("http://"+address+"/send", "text/plain", body)
		if err != nil {
			answered <- err.Error()
			return
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		answered <- string(text)
	}()
	fmt.Fprintln(lines, "1 before")
	c.expect(chunk(1, "before"))
	admintest.Idle(t, address)
	fmt.Fprintln(lines, "1 after")
	c.expect(chunk(2, "after"))
	lines.Close()
	if got := <-answered; got != `{"sent":2,"reached":2,"unaddressed":0}`+"\n" {
		t.Errorf("the intake is answered %s", got)
	}
	if log := r.log.String(); strings.Count(log, "all connections that this listener may have are taken") != 1 || !strings.Contains(log, "--max-connections") {
		t.Errorf("the log says %s", log)
	}
}

// TestAdminHeld: requests that may take long leave places for those that do not.
func TestAdminHeld(t *testing.T) {
	t.Parallel()
	r := start(t, Config{Engine: Goroutine, MaxConnections: int(max(openFileLimit(), 2*reservedFiles)) - reservedFiles})
	address := r.AdminAddr().String()
	held, refused := 0, 0
	for range 2 * leastAdmins {
		conn := admintest.Dial(t, address)
		fmt.Fprint(conn, "POST /send HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n")
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		switch {
		case err == nil && answer.StatusCode == http.StatusContinue:
			held++
		case err == nil && answer.StatusCode == http.StatusServiceUnavailable && answer.Header.Get("Retry-After") != "":
			refused++
		default:
			t.Fatalf("an intake is answered %v, %v", answer, err)
		}
	}
	if held == 0 || refused == 0 || held >= leastAdmins {
		t.Errorf("%d intakes are held and %d refused", held, refused)
	}
	if status := admintest.Status(t, address, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"); status != 200 {
		t.Errorf("/healthz is answered %d", status)
	}
}

// TestShareFiles: however many files there are, both listeners have theirs.
func TestShareFiles(t *testing.T) {
	for _, c := range []struct {
		files      uint64
		most       int
		loops      int
		limit      int64
		admins     int
		complaint  string
		roomForAll bool
	}{
		{300, 0, 2, 236, 16, "", true},
		{300, 100, 2, 100, 84, "", true},
		{300, 236, 2, 236, 16, "", true},
		{300, 237, 2, 0, 0, "need 301", false},
		{20_000, 0, 2, 19_936, 16, "", true},
		{20_000, 0, 64, 19_696, 16, "", true},
		{1 << 20, 1000, 2, 1000, 256, "", true},
		{1 << 20, 0, 2, 1<<20 - 64 - 480, 256, "", true},
		{40_000, 0, 2, 39_824, 72, "", true},
		{40, 0, 2, 0, 0, "need 64", false},
		{0, 0, 2, 1 << 62, 256, "", false},
	} {
		s := &core{Config: Config{Engine: Epoll, MaxConnections: c.most, Loops: c.loops}}
		admins, err := s.shareFiles(c.files)
		if c.complaint != "" {
			if err == nil || !strings.Contains(err.Error(), c.complaint) {
				t.Errorf("%d of %d files: %v", c.most, c.files, err)
			}
			continue
		}
		if err != nil || s.limit != c.limit || admins != c.admins || s.room <= s.limit && c.files > 0 {
			t.Errorf("%d of %d files: %d streams, %d sockets, %d admin connections, %v", c.most, c.files, s.limit, s.room, admins, err)
		}
		if all := s.room + int64(admins) + 1 + fixedFiles + int64(4*c.loops); c.roomForAll && all > int64(c.files) {
			t.Errorf("%d of %d files: %d may be open", c.most, c.files, all)
		}
	}
}
