package flood

import (
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestDefaults(t *testing.T) {
	for _, c := range []struct {
		name        string
		in          Config
		connections int
		first, last int64
	}{
		{"one URL", Config{URL: "http://h/{id}"}, 1, 1, 1},
		{"so many connections", Config{URL: "http://h/{id}", Connections: 5}, 5, 1, 5},
		{"from an id", Config{URL: "http://h/{id}", Connections: 5, FirstID: 10}, 5, 10, 14},
		{"one for each id", Config{URL: "http://h/{id}", FirstID: 10, LastID: 12}, 3, 10, 12},
		{"from id 0", Config{URL: "http://h/{id}", LastID: 2}, 3, 0, 2},
		{"more than ids", Config{URL: "http://h/{id}", Connections: 7, LastID: 2}, 7, 0, 2},
		{"more ids than are counted", Config{URL: "http://h/{id}", FirstID: 1, LastID: math.MaxInt64, Subscribers: 4}, math.MaxInt &^ 3, 1, math.MaxInt64},
		{"one for each URL", Config{URLs: []string{"http://h/1", "http://h/2"}}, 2, 1, 2},
	} {
		got := c.in.withDefaults()
		if got.Connections != c.connections || got.FirstID != c.first || got.LastID != c.last {
			t.Errorf("%s: %d connections, ids %d-%d; want %d, %d-%d", c.name, got.Connections, got.FirstID, got.LastID, c.connections, c.first, c.last)
		}
		if got.InFlight != 512 || got.ConnectTimeout != 30*time.Second || got.SampleInterval != time.Second || got.Logger == nil {
			t.Errorf("%s: %+v", c.name, got)
		}
		if err := c.in.Validate(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestValidateNamesEveryFault(t *testing.T) {
	for _, c := range []struct {
		in   Config
		want []string
	}{
		{Config{}, []string{"give one URL with {id}, or a list of URLs"}},
		{Config{URL: "http://h/", URLs: []string{"http://h/"}}, []string{"give one URL"}},
		{Config{URL: "x", Connections: -1, InFlight: -2, Duration: -1, Header: []string{"none", ": x", "a: b\r\nc: d"}}, []string{
			`URL "x": write http://`, "-1 connections: use 1 or more", "-2 connections in flight", "durations must not be negative",
			`header "none": write it as`, `header ": x": write it as`, `header "a: b\r\nc: d": write it as`,
		}},
		{Config{URL: "http://h/", ConnectTimeout: -1}, []string{"durations must not be negative"}},
		{Config{URL: "http://h/", SampleInterval: -1}, []string{"durations must not be negative"}},
		{Config{URL: "http://h/", FirstID: 3, LastID: 2, Connections: 1}, []string{"ids 3-2: use whole numbers from 0, the lower one first"}},
		{Config{URL: "http://h/", FirstID: -3, LastID: 2}, []string{"ids -3-2"}},
		{Config{URL: "http://h/", FirstID: math.MaxInt64, Connections: 2}, []string{"the lower one first"}},
		{Config{URLs: []string{"http://h/", "hppt://h/", "ftp://h/"}}, []string{`"hppt://h/"`, `"ftp://h/"`}},
	} {
		err := c.in.Validate()
		if err == nil {
			t.Errorf("%+v is taken", c.in)
			continue
		}
		lines := strings.Split(err.Error(), "\n")
		if len(lines) != len(c.want) {
			t.Errorf("%+v: %d faults, want %d:\n%v", c.in, len(lines), len(c.want), err)
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: %v; want %q in it", c.in, err, want)
			}
		}
		for _, line := range lines {
			if !strings.HasPrefix(line, "flood: ") {
				t.Errorf("%q does not say where it comes from", line)
			}
		}
		if _, err := New(c.in); err == nil {
			t.Errorf("New takes %+v", c.in)
		}
	}
}

func TestNewRefusesSourcesOfTheOtherKind(t *testing.T) {
	for _, c := range []struct {
		url, source string
		ok          bool
	}{
		{"http://127.0.0.1:1/", "127.0.0.2", true},
		{"http://[::1]:1/", "::1", true},
		{"http://[::1]:1/", "127.0.0.2", false},
		{"http://127.0.0.1:1/", "::1", false},
	} {
		_, err := New(Config{URL: c.url, Sources: []netip.Addr{netip.MustParseAddr(c.source)}})
		if ok := err == nil; ok != c.ok || !ok && !strings.Contains(err.Error(), c.source+" cannot reach") {
			t.Errorf("from %s to %s: %v", c.source, c.url, err)
		}
	}
}

func TestAFloodTellsWhatItWillDo(t *testing.T) {
	f, err := New(Config{URLs: []string{"http://127.0.0.1:1/a", "http://127.0.0.1:1/b", "http://127.0.0.1:2/"}, Connections: 9})
	if err != nil {
		t.Fatal(err)
	}
	to := f.Destinations()
	if f.Connections() != 9 || len(to) != 2 || to[0].String() != "127.0.0.1:1" || to[1].String() != "127.0.0.1:2" {
		t.Errorf("%d connections to %v", f.Connections(), to)
	}
	to[0] = netip.AddrPort{}
	if !f.Destinations()[0].IsValid() {
		t.Error("Destinations hands out the flood's own list")
	}
}
