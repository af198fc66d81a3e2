package adminhttp

import (
	"strings"
	"testing"
)

// TestHosts: which Host fields are this machine, and which may be a name that
// leads here because somebody else says so.
func TestHosts(t *testing.T) {
	g := NewGuard("", []string{"comet.internal", "Other."})
	for host, ours := range map[string]bool{
		"127.0.0.1": true, "127.0.0.1:8001": true, "127.0.0.1:": true, "127.0.0.1.": true, "10.1.2.3:80": true, "0.0.0.0": true,
		"[::1]": true, "[::1]:8001": true, "::1": true, "[fe80::1%25eth0]:8001": true, "[fe80::1%eth0]": true, "[::ffff:127.0.0.1]:1": true,
		"localhost": true, "localhost:8001": true, "LocalHost": true, "localhost.": true, "LOCALHOST.:8001": true,
		"comet.internal": true, "Comet.Internal.:8001": true, "other": true, "OTHER:1": true,

		"": false, ":8001": false, ".": false, "evil.example": false, "evil.example:8001": false,
		"localhost..": false, ".localhost": false, "a.localhost": false, "localhost.evil.example": false, "localhost:8001:1": false, "localhost:x": false,
		"localhost:8001x": false, "127.0.0.1.evil.example": false, "127.0.0.1.nip.io": false, "127.1": false, "0x7f.1": false, "2130706433": false, "0177.0.0.1": false,
		"[::1": false, "[::1]x": false, "[::1]:x": false, "[127.0.0.1]": false, "[localhost]": false, "[]": false, "[evil.example]:80": false,
		"localhost@evil.example": false, "evil.example@localhost": false, "user:pass@127.0.0.1": false, "127.0.0.1/evil": false,
		"127.0.0.1,evil.example": false, "localhost\t": false, "localho\u017ft": false, "comet.internal.evil.example": false, "*": false,
	} {
		r := Request{Method: "GET", Target: "/stats", Hosts: []string{host}}
		if got := g.Check(r) == nil; got != ours {
			t.Errorf("Host %q passes: %v", host, got)
		}
	}
}

// TestTargets: every form of target, with every method.
func TestTargets(t *testing.T) {
	g := NewGuard("", nil)
	for _, c := range []struct {
		target string
		hosts  []string
		passes bool
	}{
		{"/stats", []string{"localhost"}, true},
		{"/stats", nil, true}, // HTTP/1.0
		{"/stats", []string{"evil"}, false},
		{"/stats", []string{""}, false},
		{"/stats", []string{"localhost", "localhost"}, false},
		{"/stats", []string{"localhost", "evil"}, false},
		{"//evil/stats", []string{"localhost"}, true}, // a path
		{"/http://evil/", []string{"localhost"}, true},
		{"*", []string{"localhost"}, true},
		{"*", []string{"evil"}, false},
		{"*", nil, true},
		{"http://localhost:8001/stats", []string{"localhost:8001"}, true},
		{"HTTP://LOCALHOST", []string{"localhost"}, true},
		{"https://[::1]/stats?a=b", nil, true},
		{"http://evil/stats", []string{"localhost"}, false},
		{"http://evil/stats", []string{"evil"}, false},
		{"http://evil/stats", nil, false},
		{"http://localhost/stats", []string{"evil"}, false},
		{"http:///stats", []string{"localhost"}, false},
		{"http:/stats", []string{"localhost"}, false},
		{"http:stats", []string{"localhost"}, false},
		{"http://localhost@evil/", []string{"localhost"}, false},
		{"http://evil@localhost/", []string{"localhost"}, false},
		{"http://localhost?@evil/", []string{"localhost"}, true}, // a query
		{`http://localhost\@evil/`, []string{"localhost"}, false},
		{"127.0.0.1:8001", []string{"127.0.0.1:8001"}, true}, // CONNECT
		{"evil:443", []string{"evil:443"}, false},
		{"evil:443", []string{"localhost"}, false},
		{"evil:443", nil, false},
		{"", []string{"localhost"}, false},
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "TRACE", "PRI", "get"} {
			refusal := g.Check(Request{Method: method, Target: c.target, Hosts: c.hosts})
			if (refusal == nil) != c.passes {
				t.Errorf("%s %s with %q: %+v", method, c.target, c.hosts, refusal)
			}
		}
	}
}

// TestCrossSite: a page of another site may neither publish nor collect.
func TestCrossSite(t *testing.T) {
	g := NewGuard("", nil)
	const here = "127.0.0.1:8001"
	read := []string{"GET /", "GET /stats", "HEAD /stats", "GET /metrics", "GET /healthz", "HEAD /readyz", "GET /stats?x"}
	effects := []string{
		"POST /send", "POST /send/1", "POST /gc", "PUT /subscriptions/1", "DELETE /subscriptions/1", "POST /stats", "OPTIONS /send", "POST *",
		"GET /debug/pprof/", "GET /debug/pprof/profile?seconds=60", "GET /debug/pprof/trace", "GET /debug/pprof/heap?gc=1", "HEAD /debug/pprof/heap",
		"GET /debug/pprof/symbol", "GET /debug/pprof/cmdline", "GET //debug/pprof/heap", "GET /%64ebug/pprof/heap", "GET http://" + here + "/debug/pprof/heap",
		"GET /anything/to/be/added", "GET /stats/",
	}
	for _, c := range []struct {
		origin, site string
		passes       bool // with effects
	}{
		{"", "", true},
		{"", "none", true},
		{"", "same-origin", true},
		{"http://" + here, "", true},
		{"http://" + here, "same-origin", true},
		{"", "cross-site", false},
		{"", "same-site", false},
		{"", "Same-Origin", false},
		{"http://" + here, "cross-site", false},
		{"http://evil.example", "", false},
		{"http://evil.example", "cross-site", false},
		{"null", "", false},
		{"http://127.0.0.1", "", false},      // another port
		{"http://127.0.0.1:9999", "", false}, // another port
		{"http://localhost:8001", "", false}, // another name
		{"://", "", false},
	} {
		for _, requests := range [][]string{read, effects} {
			for _, request := range requests {
				method, target, _ := strings.Cut(request, " ")
				r := Request{Method: method, Target: target, Hosts: []string{here}, Origin: c.origin, FetchSite: c.site}
				want := c.passes || &requests[0] == &read[0]
				if refusal := g.Check(r); (refusal == nil) != want {
					t.Errorf("%s with Origin %q and Sec-Fetch-Site %q: %+v", request, c.origin, c.site, refusal)
				}
			}
		}
	}
	// Without Host there is nothing that an Origin could be the same as.
	if g.Check(Request{Method: "POST", Target: "/send", Origin: "http://evil.example"}) == nil {
		t.Error("a page publishes by HTTP/1.0")
	}
}

// TestTokens: with the token a request passes from anywhere, without it from
// nowhere; the health pages are for all.
func TestTokens(t *testing.T) {
	g := NewGuard("correct horse", []string{"comet.internal"})
	for authorization, right := range map[string]bool{
		"Bearer correct horse": true, "bearer correct horse": true, "BEARER correct horse": true, "BeArEr  correct horse ": true,
		"": false, "Bearer": false, "Bearer ": false, "Bearer correct": false, "Bearer correct horses": false, "Bearer Correct horse": false,
		"correct horse": false, "Basic correct horse": false, "Bearercorrect horse": false, "Bearer:correct horse": false, "Bearer\tcorrect horse": false,
	} {
		for _, host := range []string{"localhost", "comet.internal", "evil.example", ""} {
			r := Request{Method: "POST", Target: "/send/1", Hosts: []string{host}, Authorization: authorization, Origin: "http://evil.example", FetchSite: "cross-site"}
			if refusal := g.Check(r); (refusal == nil) != right || refusal != nil && refusal.Code != 401 {
				t.Errorf("Authorization %q for %q: %+v", authorization, host, refusal)
			}
		}
	}
	for request, passes := range map[string]bool{
		"GET /healthz": true, "HEAD /readyz": true, "GET /readyz?verbose": true, "GET http://evil.example/healthz": true,
		"POST /healthz": false, "GET /healthz/": false, "GET //healthz": false, "GET /stats": false, "GET /": false, "OPTIONS *": false, "GET /healthz/../stats": false,
	} {
		method, target, _ := strings.Cut(request, " ")
		if g.Check(Request{Method: method, Target: target, Hosts: []string{"evil.example"}}) == nil != passes {
			t.Errorf("%s without the token passes: %v", request, !passes)
		}
	}
	// A token that nobody set is nobody's.
	if NewGuard("", nil).Check(Request{Method: "GET", Target: "/", Hosts: []string{"evil"}, Authorization: "Bearer "}) == nil {
		t.Error("an empty token passes")
	}
}

// FuzzCheck: whatever passes without a token names this machine.
func FuzzCheck(f *testing.F) {
	f.Add("GET", "http://evil/stats", "localhost", "http://evil", "")
	f.Add("POST", "/send/1", "[::1]:8001", "", "same-origin")
	f.Add("CONNECT", "evil:1", "127.0.0.1", "null", "none")
	g := NewGuard("", nil)
	f.Fuzz(func(t *testing.T, method, target, host, origin, site string) {
		r := Request{Method: method, Target: target, Hosts: []string{host}, Origin: origin, FetchSite: site}
		if g.Check(r) != nil {
			return
		}
		name := strings.TrimSuffix(strings.ToLower(host), ".")
		if i := strings.LastIndexByte(name, ':'); i >= 0 && !strings.HasSuffix(name, "]") && strings.Count(name, ":") == 1 {
			name = strings.TrimSuffix(name[:i], ".")
		}
		if strings.ContainsAny(name, "ghijklmnopqrstuvwxyz") && name != "localhost" && !strings.Contains(name, "%") {
			t.Errorf("%q passes", host)
		}
	})
}

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		cfg   Config
		wrong string // part of the error; "" for none
	}{
		{Config{Address: "127.0.0.1:0", Hosts: []string{"comet.internal", "Build_7."}}, ""},
		{Config{Address: "0.0.0.0:0", Token: "t"}, ""},
		{Config{Address: "8001"}, "write host:port"},
		{Config{Address: ":8001"}, "--admin-token-file"},
		{Config{Address: "127.0.0.1:0", Hosts: []string{"http://comet.internal"}}, "write a name alone"},
		{Config{Address: "127.0.0.1:0", Hosts: []string{"comet.internal:80"}}, "write a name alone"},
		{Config{Address: "127.0.0.1:0", Hosts: []string{""}}, "write a name alone"},
		{Config{Address: "127.0.0.1:0", Hosts: []string{"*.internal"}}, "write a name alone"},
		{Config{Address: "127.0.0.1:0", CertFile: "c.pem"}, "--admin-tls-cert and --admin-tls-key"},
		{Config{Address: "127.0.0.1:0", CertFile: "no-such.pem", KeyFile: "no-such.key"}, "no-such.pem"},
	} {
		errs := c.cfg.Validate()
		if c.wrong == "" && len(errs) > 0 || c.wrong != "" && (len(errs) != 1 || !strings.Contains(errs[0].Error(), c.wrong)) {
			t.Errorf("%+v: %v, want %q", c.cfg, errs, c.wrong)
		}
	}
}
