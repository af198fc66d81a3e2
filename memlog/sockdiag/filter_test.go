package sockdiag

import (
	"net/netip"
	"testing"
)

func TestParseFilter(t *testing.T) {
	p := netip.MustParsePrefix
	tests := []struct {
		in, out string
		want    Filter
	}{
		{"8000", ":8000", Filter{Port: 8000}},
		{":8000", ":8000", Filter{Port: 8000}},
		{"127.0.0.1:8000", "127.0.0.1:8000", Filter{p("127.0.0.1/32"), 8000}},
		{"[::1]:8000", "[::1]:8000", Filter{p("::1/128"), 8000}},
		{"[::ffff:127.0.0.1]:8000", "127.0.0.1:8000", Filter{p("127.0.0.1/32"), 8000}},
		{"::ffff:10.0.0.0/104", "10.0.0.0/8", Filter{p("10.0.0.0/8"), 0}},
		{"0.0.0.0:8000", "0.0.0.0:8000", Filter{p("0.0.0.0/0"), 8000}},
		{"[::]:8000", ":8000", Filter{Port: 8000}},
		{"::", "[::]", Filter{}},
		{"::/0", "::/0", Filter{p("::/0"), 0}},
		{"::1", "::1", Filter{p("::1/128"), 0}},
		{"10.1.2.3", "10.1.2.3", Filter{p("10.1.2.3/32"), 0}},
		{"10.1.2.3/8", "10.0.0.0/8", Filter{p("10.0.0.0/8"), 0}},
		{"127.0.0.0/8:8000", "127.0.0.0/8:8000", Filter{p("127.0.0.0/8"), 8000}},
		{"[fd00::]/64:8000", "[fd00::]/64:8000", Filter{p("fd00::/64"), 8000}},
		{"[fe80::1%eth0]:80", "[fe80::1]:80", Filter{p("fe80::1/128"), 80}},
	}
	for _, tt := range tests {
		got, err := ParseFilter(tt.in)
		if err != nil || got != tt.want || got.String() != tt.out {
			t.Errorf("ParseFilter(%q) = %+v, %v; String %q; want %+v, %q", tt.in, got, err, got.String(), tt.want, tt.out)
		}
		if again, err := ParseFilter(got.String()); err != nil || again != got {
			t.Errorf("ParseFilter(%q) = %+v, %v; want %+v", got.String(), again, err, got)
		}
	}
	for _, in := range []string{"", ":", "0", "65536", "localhost:8000", "127.0.0.1:", "127.0.0.1:x", "10.0.0.0/33", "10.0.0.0/33:80", "10.0.0.0/-1:80", "[::1", "[fd00::/64]:80", "http://127.0.0.1:80"} {
		if f, err := ParseFilter(in); err == nil {
			t.Errorf("ParseFilter(%q) = %+v, want an error", in, f)
		}
	}
}

func TestMatch(t *testing.T) {
	tests := []struct {
		filter, local string
		want          bool
	}{
		{"8000", "10.0.0.1:8000", true},
		{"8000", "[::1]:8000", true},
		{"8000", "10.0.0.1:8001", false},
		{"127.0.0.1:8000", "127.0.0.1:8000", true},
		{"127.0.0.1:8000", "[::ffff:127.0.0.1]:8000", true},
		{"127.0.0.1:8000", "127.0.0.2:8000", false},
		{"0.0.0.0:8000", "[::ffff:127.0.0.2]:8000", true},
		{"0.0.0.0:8000", "[::1]:8000", false},
		{"[::]:8000", "10.0.0.1:8000", true},
		{"::/0", "[::ffff:10.0.0.1]:1", true},
		{"::/0", "10.0.0.1:1", false},
		{"10.0.0.0/8", "10.255.0.1:1", true},
		{"10.0.0.0/8", "11.0.0.1:1", false},
		{"[fd00::]/64:80", "[fd00::7]:80", true},
		{"[fd00::]/64:80", "[fd00:0:0:1::7]:80", false},
	}
	for _, tt := range tests {
		f, err := ParseFilter(tt.filter)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.match(netip.MustParseAddrPort(tt.local)); got != tt.want {
			t.Errorf("%s chooses %s: %v, want %v", tt.filter, tt.local, got, tt.want)
		}
	}
}

func FuzzParseFilter(f *testing.F) {
	for _, s := range []string{"8000", "127.0.0.1:8000", "[::1]:8000", "10.0.0.0/8:1", "[fd00::]/64:80", "::ffff:1.2.3.4"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseFilter(s)
		if err != nil {
			t.Skip()
		}
		if again, err := ParseFilter(got.String()); err != nil || again != got {
			t.Fatalf("%q: %+v is written %q and read as %+v, %v", s, got, got.String(), again, err)
		}
		if a := got.Prefix.Addr(); a.IsValid() && !got.match(netip.AddrPortFrom(a, got.Port)) {
			t.Fatalf("%q does not choose its own address", s)
		}
	})
}
