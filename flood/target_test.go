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
	for _, c := range []struct {
		in                  string
		host, before, after string
		hasID               bool
	}{
		{"http://127.0.0.1:8000/test/{id}", "127.0.0.1:8000", "/test/", "", true},
		{"http://h/test/{id}/x?y={z}", "h", "/test/", "/x?y={z}", true},
		{"http://h/?id={id}&x=1", "h", "/?id=", "&x=1", true},
		{"http://h", "h", "/", "", false},
		{"http://h?{id}", "h", "/?", "", true},
		{"http://[::1]:80/a b", "[::1]:80", "/a%20b", "", false},
		{"HTTP://h/#here", "h", "/", "", false},
		// Digits like those of a stand-in for {id} are not it.
		{"http://h/10000", "h", "/10000", "", false},
		{"http://h/10{id}00", "h", "/10", "00", true},
		{"http://h/1{id}", "h", "/1", "", true},
		{"http://h/10000/{id}0", "h", "/10000/", "0", true},
		{"http://h/4242424242", "h", "/4242424242", "", false},
	} {
		got, err := parseURL(c.in)
		if want := (request{c.host, c.before, c.after, c.hasID, 0}); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", c.in, got, err, want)
		}
	}
}

func TestParseURLRefuses(t *testing.T) {
	for in, want := range map[string]string{
		"":                         "write http://host:port/path",
		"127.0.0.1:8000/test":      "first path segment",
		"https://h/":               "other schemes are not spoken",
		"ftp://h/":                 "other schemes are not spoken",
		"http:///test":             "a host must follow http://",
		"http://:8000/test":        "a host must follow http://",
		"http://{id}/":             "a host must follow http://",
		"http://h:{id}/":           "a host must follow http://",
		"http://h/{id}/{id}":       "{id} may stand in it once",
		"http://h/#{id}":           "{id} must stand in the path or the query",
		"http://{id}@h/":           "a name and password are not sent",
		"http://u:p@h/":            "Authorization: Basic",
		"http://h/?a b":            "write %20 for a space",
		"http://h/\r\nX: y":        "invalid control character",
		"http://h/%zz":             "invalid URL escape",
		"http://h/test\x00":        "invalid control character",
		"http://user@:80/\tx{id}y": "invalid control character",
	} {
		_, err := parseURL(in)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q", in, err, want)
		}
	}
}

func FuzzURL(f *testing.F) {
	for _, seed := range []string{"http://127.0.0.1:8000/test/{id}", "http://[::1]/x?a={id}#f", "http://h/1{id}0", "http://h/10000{id}", "http://u@h/", "http:{id}", "http://h/%7Bid%7D{id}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parseURL(text)
		if err != nil {
			return
		}
		if r.hasID != strings.Contains(text, idHole) {
			t.Fatalf("%q: hasID is %v", text, r.hasID)
		}
		target := targets{requests: []request{r}, first: 567, count: 1}
		head := target.append(nil, 0)
		line, _, _ := strings.Cut(string(head), "\r\n")
		if fields := strings.Split(line, " "); len(fields) != 3 || fields[0] != "GET" || !strings.HasPrefix(fields[1], "/") || fields[2] != "HTTP/1.1" {
			t.Fatalf("%q: the request begins with %q", text, line)
		}
		// What a person would do by hand is the same request.
		byHand, err := parseURL(strings.ReplaceAll(text, idHole, "567"))
		if err != nil {
			t.Fatalf("%q is taken, but not with 567 for {id}: %v", text, err)
		}
		if byHand.host != r.host || "GET "+byHand.before+" HTTP/1.1" != line {
			t.Fatalf("%q: asks %s for %q, by hand %+v", text, r.host, line, byHand)
		}
	})
}

func TestRequests(t *testing.T) {
	targets, err := newTargets(Config{
		URL:    "http://127.0.0.1:8000/test/{id}?x",
		Header: []string{"X-One: 1", "X-Two:2"}, FirstID: 5, LastID: 7,
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, id := range []string{"5", "6", "7", "5", "6"} {
		head, to := targets.append([]byte("before"), i), targets.host(i).addrs[0]
		want := "beforeGET /test/" + id + "?x HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nX-One: 1\r\nX-Two:2\r\nUser-Agent: comet-flood\r\n\r\n"
		if string(head) != want || to.String() != "127.0.0.1:8000" {
			t.Errorf("connection %d asks %v for %q, want %q", i, to, head, want)
		}
	}
}

func TestRequestsOfSeveralURLs(t *testing.T) {
	targets, err := newTargets(Config{
		URLs:    []string{"http://127.0.0.1:1/a", "http://[::1]/{id}", "http://127.0.0.1:1/c"},
		FirstID: 0, LastID: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(targets.hosts) != 2 {
		t.Errorf("%v: a host is to be looked up once", targets.hosts)
	}
	for i, want := range []string{"127.0.0.1:1 /a", "[::1]:80 /1", "127.0.0.1:1 /c", "127.0.0.1:1 /a", "[::1]:80 /0"} {
		head, to := targets.append(nil, i), targets.host(i).addrs[0]
		if path := strings.Fields(string(head))[1]; to.String()+" "+path != want {
			t.Errorf("connection %d: %v %s, want %s", i, to, path, want)
		}
	}
}

func TestOwnHostAndUserAgentTakeThePlaceOfTheUsual(t *testing.T) {
	targets, err := newTargets(Config{URL: "http://127.0.0.1:1/", Header: []string{"host: example.org", "USER-AGENT: me"}, LastID: 1})
	if err != nil {
		t.Fatal(err)
	}
	head := targets.append(nil, 0)
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
		if got, err := resolve(in); err != nil || got[0].String() != want {
			t.Errorf("%s: %v, %v; want %s", in, got, err, want)
		}
	}
	for _, in := range []string{"127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:x", "[fe80::1%lo]:80", ""} {
		if got, err := resolve(in); err == nil || !strings.HasPrefix(err.Error(), "flood: host ") {
			t.Errorf("%q: %v, %v; want an error that names the host", in, got, err)
		}
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
