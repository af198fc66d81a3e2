package flood

import (
	"bufio"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestParseURL(t *testing.T) {
	for _, c := range []struct{ in, host, path string }{
		{"http://127.0.0.1:8000/test/{id}", "127.0.0.1:8000", "/test/567"},
		{"http://h/test/{id}/x?y={z}", "h", "/test/567/x?y={z}"},
		{"http://h/{id}/{id}?id={id}&x=1", "h", "/567/567?id=567&x=1"},
		{"http://h", "h", "/"},
		{"http://h?{id}", "h", "/?567"},
		{"http://[::1]:80/a b", "[::1]:80", "/a%20b"},
		{"HTTP://h/#here", "h", "/"},
		{"https://h/{id}", "h", "/567"},
		{"ws://h/ws/{id}", "h", "/ws/567"},
		{"wss://h/{id}/{{id}}/{ID}", "h", "/567/%7B567%7D/%7BID%7D"},
		{"http://h/{name}?t={token}&id={id}{name}", "h", "/al%20ice?t=a%26b&id=567al%20ice"},
		// Digits like those of a stand-in for {id} are not it.
		{"http://h/10000", "h", "/10000"},
		{"http://h/10{id}00", "h", "/1056700"},
		{"http://h/1{id}", "h", "/1567"},
		{"http://h/10000/{id}0", "h", "/10000/5670"},
		{"http://h/4242424242", "h", "/4242424242"},
	} {
		got, err := parseURL(c.in, Auto, []string{"id", "name", "token"})
		path := got.path.Append(nil, func(hole int) []byte { return []byte([]string{"567", "al ice", "a&b"}[hole]) })
		if err != nil || got.host != c.host || string(path) != c.path || got.hasID != strings.Contains(c.in, "{id}") {
			t.Errorf("%s: %q %q %v, %v; want %q %q", c.in, got.host, path, got.hasID, err, c.host, c.path)
		}
	}
}

func TestParseURLRefuses(t *testing.T) {
	for in, want := range map[string]string{
		"":                         "write http://host:port/path",
		"127.0.0.1:8000/test":      "first path segment",
		"hppt://h/":                "other schemes are not spoken",
		"ftp://h/":                 "other schemes are not spoken",
		"http:///test":             "a host must follow http://",
		"http://:8000/test":        "a host must follow http://",
		"http://{id}/":             "a host must follow http://",
		"http://h:{id}/":           "a host must follow http://",
		"http://h/#{id}":           "{id} must stand in the path or the query",
		"http://{id}@h/":           "a name and password are not sent",
		"http://u:p@h/":            "Authorization: Basic",
		"http://h/?a b":            "write %20 for a space",
		"http://h/\r\nX: y":        "invalid control character",
		"http://h/%zz":             "invalid URL escape",
		"http://h/test\x00":        "invalid control character",
		"http://user@:80/\tx{id}y": "invalid control character",
	} {
		_, err := parseURL(in, Auto, []string{"id"})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q", in, err, want)
		}
	}
}

func FuzzURL(f *testing.F) {
	for _, seed := range []string{"http://127.0.0.1:8000/test/{id}", "http://[::1]/x?a={id}#f", "http://h/1{id}0", "http://h/10000{id}", "http://u@h/", "http:{id}", "http://h/%7Bid%7D{id}"} {
		f.Add(seed)
	}
	holes := []string{"id"}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parseURL(text, Auto, holes)
		if err != nil {
			return
		}
		if r.hasID != strings.Contains(text, idHole) {
			t.Fatalf("%q: hasID is %v", text, r.hasID)
		}
		ask := asking{requests: []request{r}, method: "GET", columns: []int{-1}, first: 567, count: 1, subscribers: 1}
		head := ask.append(nil, 0, nil, 0)
		line, _, _ := strings.Cut(string(head), "\r\n")
		if fields := strings.Split(line, " "); len(fields) != 3 || fields[0] != "GET" || !strings.HasPrefix(fields[1], "/") || fields[2] != "HTTP/1.1" {
			t.Fatalf("%q: the request begins with %q", text, line)
		}
		// What a person would do by hand is the same request.
		byHand, err := parseURL(strings.ReplaceAll(text, idHole, "567"), Auto, holes)
		if err != nil {
			t.Fatalf("%q is taken, but not with 567 for {id}: %v", text, err)
		}
		ask.requests[0] = byHand
		lineByHand, _, _ := strings.Cut(string(ask.append(nil, 0, nil, 0)), "\r\n")
		if byHand.host != r.host || lineByHand != line {
			t.Fatalf("%q: asks %s for %q, by hand %s for %q", text, r.host, line, byHand.host, lineByHand)
		}
	})
}

func newTargetsOf(cfg Config) (*targets, error) {
	cfg = cfg.withDefaults()
	return newTargets(&cfg)
}

func TestRequests(t *testing.T) {
	targets, err := newTargetsOf(Config{
		URL:    "http://127.0.0.1:8000/test/{id}?x",
		Header: []string{"X-One: 1", "X-Two:2"}, FirstID: 5, LastID: 7,
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, id := range []string{"5", "6", "7", "5", "6"} {
		head, to := targets.append([]byte("before"), i, nil, 0), targets.host(i).addrs[0]
		want := "beforeGET /test/" + id + "?x HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nX-One: 1\r\nX-Two:2\r\nUser-Agent: comet-flood\r\n\r\n"
		if string(head) != want || to.String() != "127.0.0.1:8000" {
			t.Errorf("connection %d asks %v for %q, want %q", i, to, head, want)
		}
	}
}

func TestRequestsOfSeveralURLs(t *testing.T) {
	targets, err := newTargetsOf(Config{
		URLs:        []string{"http://127.0.0.1:1/a", "http://[::1]/{id}", "http://127.0.0.1:1/c"},
		Connections: 3, LastID: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(targets.hosts) != 2 {
		t.Errorf("%v: a host is to be looked up once", targets.hosts)
	}
	for i, want := range []string{"127.0.0.1:1 /a", "[::1]:80 /1", "127.0.0.1:1 /c", "127.0.0.1:1 /a", "[::1]:80 /0"} {
		head, to := targets.append(nil, i, nil, 0), targets.host(i).addrs[0]
		if path := strings.Fields(string(head))[1]; to.String()+" "+path != want {
			t.Errorf("connection %d: %v %s, want %s", i, to, path, want)
		}
	}
}

func TestOwnHostAndUserAgentTakeThePlaceOfTheUsual(t *testing.T) {
	targets, err := newTargetsOf(Config{URL: "http://127.0.0.1:1/", Header: []string{"host: example.org", "USER-AGENT: me"}, LastID: 1})
	if err != nil {
		t.Fatal(err)
	}
	head := targets.append(nil, 0, nil, 0)
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(string(head)))) // refuses two Host lines
	if err != nil || r.Host != "example.org" || len(r.Header["User-Agent"]) != 1 || r.UserAgent() != "me" {
		t.Errorf("%q is read as %+v, %v", head, r, err)
	}
}

func TestResolve(t *testing.T) {
	for in, want := range map[string]string{
		"127.0.0.1":                          "127.0.0.1:80",
		"127.0.0.1:8000":                     "127.0.0.1:8000",
		"[::1]":                              "[::1]:80",
		"[::1]:8000":                         "[::1]:8000",
		"[::ffff:127.0.0.1]:1":               "127.0.0.1:1",
		"localhost:" + strconv.Itoa(1<<16-1): "127.0.0.1:65535",
	} {
		if got, err := resolve(withPort(in, false)); err != nil || got[0].String() != want {
			t.Errorf("%s: %v, %v; want %s", in, got, err, want)
		}
	}
	for in, want := range map[string]string{"h": "h:443", "[::1]": "[::1]:443", "h:1": "h:1"} {
		if got := withPort(in, true); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	for _, in := range []string{"127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:x", "[fe80::1%lo]:80", ""} {
		if got, err := resolve(in); err == nil || !strings.HasPrefix(err.Error(), "flood: host ") {
			t.Errorf("%q: %v, %v; want an error that names the host", in, got, err)
		}
	}
}

// TestResolved: a name is not asked for whose address is given, and stands in Host.
func TestResolved(t *testing.T) {
	targets, err := newTargetsOf(Config{
		URLs: []string{"http://no.such.host.invalid/", "https://No.such.host.invalid:8443/", "http://127.0.0.1:1/"}, Connections: 3,
		Resolve: map[string]netip.Addr{"no.such.host.invalid:80": netip.MustParseAddr("127.0.0.2"), "no.such.host.invalid:8443": netip.MustParseAddr("::1")},
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"127.0.0.2:80", "[::1]:8443", "127.0.0.1:1"} {
		if got := targets.host(i).addrs; len(got) != 1 || got[0].String() != want {
			t.Errorf("%v, want %s", got, want)
		}
	}
	if h := targets.host(1); h.tls.ServerName != "No.such.host.invalid" {
		t.Errorf("the name for TLS is %q", h.tls.ServerName)
	}
	if head := string(targets.append(nil, 0, nil, 0)); !strings.Contains(head, "\r\nHost: no.such.host.invalid\r\n") {
		t.Errorf("%q", head)
	}
}

func TestAddressesInOrder(t *testing.T) {
	ips := addrs("2001:db8::1", "192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1", "192.0.2.2")
	got := inOrder(ips, 80)
	want := []netip.AddrPort{
		netip.MustParseAddrPort("192.0.2.1:80"), netip.MustParseAddrPort("192.0.2.2:80"), netip.MustParseAddrPort("[2001:db8::1]:80"),
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v: IPv4 first, each once", got, want)
	}
	for range 20 {
		ips = append(ips, ips[len(ips)-1].Next())
	}
	if got := inOrder(ips, 80); len(got) != maxAddrs {
		t.Errorf("%d addresses, want %d at most", len(got), maxAddrs)
	}
}

// TestHostNext: each address is tried once, from the one that worked last.
func TestHostNext(t *testing.T) {
	h := host{addrs: make([]netip.AddrPort, 3)}
	for first, want := range []string{"[0 1 2]", "[1 2 0]", "[2 0 1]"} {
		h.first = uint8(first)
		var order []uint8
		for done := tried(0); ; {
			index, ok := h.next(done)
			if !ok {
				break
			}
			done |= 1 << index
			order = append(order, index)
			h.first = 0 // somebody else's connect worked meanwhile
		}
		if slices.Sort(order[1:]); len(order) != 3 || order[0] != uint8(first) {
			t.Errorf("from %d: %v, want %s", first, order, want)
		}
	}
}

func TestSourcesChooseAmongAddresses(t *testing.T) {
	servers := []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:1"), netip.MustParseAddrPort("[::1]:1")}
	for _, c := range []struct {
		sources []netip.Addr
		want    []netip.AddrPort
	}{
		{nil, servers},
		{addrs("127.0.0.2"), servers[:1]},
		{addrs("::1"), servers[1:]},
		{addrs("::1", "127.0.0.2"), nil},
	} {
		got, err := reachable(c.sources, servers)
		if !slices.Equal(got, c.want) || (err == nil) != (c.want != nil) {
			t.Errorf("from %v: %v, %v, want %v", c.sources, got, err, c.want)
		}
	}
}
