package flood

import (
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func addrs(texts ...string) []netip.Addr {
	var all []netip.Addr
	for _, text := range texts {
		all = append(all, netip.MustParseAddr(text))
	}
	return all
}

func TestParseSources(t *testing.T) {
	for _, c := range []struct {
		in   []string
		want []netip.Addr
	}{
		{nil, nil},
		{[]string{"127.0.0.2"}, addrs("127.0.0.2")},
		{[]string{"127.0.0.2-127.0.0.4"}, addrs("127.0.0.2", "127.0.0.3", "127.0.0.4")},
		{[]string{"127.0.0.255-127.0.1.0"}, addrs("127.0.0.255", "127.0.1.0")},
		{[]string{"10.0.0.6/30"}, addrs("10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.7")},
		{[]string{"255.255.255.254/31"}, addrs("255.255.255.254", "255.255.255.255")},
		{[]string{"127.0.0.9/32", "::1", "fd00::1-fd00::2"}, addrs("127.0.0.9", "::1", "fd00::1", "fd00::2")},
		{[]string{"::ffff:127.0.0.2"}, addrs("127.0.0.2")},
	} {
		got, err := ParseSources(c.in)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%q: %v, %v; want %v", c.in, got, err, c.want)
		}
	}
	if all, err := ParseSources([]string{"127.1.0.0/16"}); err != nil || len(all) != maxSources {
		t.Errorf("a /16 gave %d addresses, %v; want %d", len(all), err, maxSources)
	}
}

func TestParseSourcesRefuses(t *testing.T) {
	for in, want := range map[string]string{
		"":                          "write 127.0.0.2, 127.0.0.2-127.0.0.18 or 127.0.1.0/24",
		"localhost":                 "write 127.0.0.2,",
		"127.0.0.2-":                "write 127.0.0.2,",
		"127.0.0.4-127.0.0.2":       "write 127.0.0.2,",
		"127.0.0.2-::1":             "write 127.0.0.2,",
		"fe80::1%eth0":              "write 127.0.0.2,",
		"fe80::1%eth0-fe80::2%eth1": "write 127.0.0.2,",
		"127.0.0.2/33":              "write a prefix as 127.0.1.0/24",
		"::ffff:1.2.3.4/127":        "write a prefix as 127.0.1.0/24",
		"/24":                       "write a prefix as 127.0.1.0/24",
		"127.0.0.0/15":              "more than 65536 addresses",
		"0.0.0.0/0":                 "more than 65536 addresses",
		"::/0":                      "more than 65536 addresses",
		"127.0.0.0-127.1.0.0":       "more than 65536 addresses",
	} {
		_, err := ParseSources([]string{"127.0.0.1", in})
		if err == nil || !strings.HasPrefix(err.Error(), "flood: source address \""+in+`"`) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want it named, and %q", in, err, want)
		}
	}
}

func FuzzSources(f *testing.F) {
	for _, seed := range []string{"127.0.0.2", "127.0.0.2-127.0.0.18", "127.0.1.0/24", "::1", "fd00::/120", "::/0", "fe80::1%a-fe80::2%b", "::ffff:1.2.3.4/127"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseSources([]string{text})
		if err != nil {
			if got != nil || !strings.HasPrefix(err.Error(), "flood: ") {
				t.Fatalf("%q: %v with %v", text, got, err)
			}
			return
		}
		if len(got) == 0 || len(got) > maxSources {
			t.Fatalf("%q: %d addresses", text, len(got))
		}
		for i, a := range got {
			if !a.IsValid() || a.Zone() != "" || a.Is4In6() {
				t.Fatalf("%q: address %d is %v", text, i, a)
			}
			if i > 0 && got[i-1].Next() != a {
				t.Fatalf("%q: %v follows %v", text, a, got[i-1])
			}
		}
		if again, err := ParseSources([]string{got[0].String() + "-" + got[len(got)-1].String()}); err != nil || !slices.Equal(again, got) {
			t.Fatalf("%q: written as a range: %v, not %v (%v)", text, again, got, err)
		}
	})
}

func TestParsePortRange(t *testing.T) {
	for _, c := range []struct {
		in        string
		low, high uint16
		ok        bool
	}{
		{"32768\t60999\n", 32768, 60999, true},
		{"1 65535", 1, 65535, true},
		{"5 5", 5, 5, true},
		{"6 5", 0, 0, false},
		{"32768", 0, 0, false},
		{"1 65536", 0, 0, false},
		{"a b", 0, 0, false},
		{"", 0, 0, false},
	} {
		low, high, err := parsePortRange(c.in)
		if low != c.low || high != c.high || (err == nil) != c.ok {
			t.Errorf("%q: %d %d %v", c.in, low, high, err)
		}
	}
	if low, high, err := portRange(); err != nil || low == 0 || high < low {
		t.Errorf("the port range of this machine: %d-%d, %v", low, high, err)
	}
}

func TestSourcesHandOutEveryPairOnce(t *testing.T) {
	s := &sources{addrs: addrs("127.0.0.2", "127.0.0.3"), low: 100, count: 3, offset: 2}
	seen := make(map[netip.AddrPort]int)
	for range 12 {
		from, ok := s.take()
		if !ok || from.Port() < 100 || from.Port() > 102 {
			t.Fatal(from, ok)
		}
		seen[from]++
	}
	if len(seen) != 6 {
		t.Errorf("%d pairs, want 6: %v", len(seen), seen)
	}
	for from, n := range seen {
		if n != 2 {
			t.Errorf("%v came %d times in 12, want 2", from, n)
		}
	}
}

// TestSourcesAfterLong: a flood whose connections return for days hands out more pairs
// than an int of 32 bits counts.
func TestSourcesAfterLong(t *testing.T) {
	s := &sources{addrs: addrs("127.0.0.2", "127.0.0.3"), low: 100, count: 3, offset: 2, next: math.MaxInt32}
	for range 6 {
		if from, ok := s.take(); !ok || from.Port() < 100 || from.Port() > 102 {
			t.Error(from, ok)
		}
	}
}

func TestSourcesEndTheirSearch(t *testing.T) {
	s := &sources{addrs: addrs("127.0.0.2", "127.0.0.3"), count: 3}
	search := func() (tries int) {
		for {
			tries++
			s.take()
			if !s.taken() {
				return tries
			}
		}
	}
	if n := search(); n != 6 {
		t.Errorf("the first search ended after %d pairs, want all 6", n)
	}
	if n := search(); n != 1 {
		t.Errorf("with every pair taken the next one tried %d, want 1", n)
	}
	s.works()
	if n := search(); n != 6 {
		t.Errorf("after one that worked, a search tried %d, want 6", n)
	}
	kernel := &sources{}
	if _, ok := kernel.take(); ok || kernel.taken() {
		t.Error("without addresses the kernel chooses, once")
	}
}
