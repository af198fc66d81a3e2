package agent

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"example.org/comet/flood"
	"example.org/comet/sysctl"
)

// hostOf returns a host that can have so many files open in a process, with as many ports.
func hostOf(name string, files, ports sysctl.Value, addresses ...string) *Host {
	h := &Host{Announcement: Announcement{Name: name, System: sysctl.UnknownSystem()}}
	s := &h.System
	s.OS, s.OpenFiles, s.OpenFilesHard, s.PortLow, s.PortHigh = "linux", files, files, 1, ports
	for _, text := range addresses {
		h.Addresses = append(h.Addresses, netip.MustParseAddr(text))
	}
	return h
}

// plain writes shares as host:connections, with the sources.
func plain(shares []Share) string {
	var all []string
	for _, s := range shares {
		text := fmt.Sprintf("%d:%d", s.Host, s.Connections)
		for _, addr := range s.Sources {
			text += " " + addr.String()
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

func TestDivide(t *testing.T) {
	const files, ports = 1064, 60_000
	even := []*Host{hostOf("a", files, ports), hostOf("b", files, ports), hostOf("c", files, ports)}
	for _, c := range []struct {
		name    string
		load    Load
		sources string
		hosts   []*Host
		want    string
	}{
		{"equally", Load{Connections: 10}, "", even, "0:3, 1:3, 2:4"},
		{"one each", Load{Connections: 3}, "", even, "0:1, 1:1, 2:1"},
		{"too few", Load{Connections: 2}, "", even, "2 connections cannot be divided among 3 agents"},
		{"several processes", Load{Connections: 3001}, "", even[:2], "0:750, 0:750, 1:750, 1:751"},
		{"one cannot hold its part", Load{Connections: 900}, "", []*Host{hostOf("a", files, 100), hostOf("b", files, 700), hostOf("c", files, 700)}, "0:100, 1:400, 2:400"},
		{"two destinations", Load{Connections: 300, Destinations: 2}, "", []*Host{hostOf("a", files, 100), hostOf("b", files, 100)}, "0:150, 1:150"},
		{"all are full", Load{Connections: 1000}, "", []*Host{hostOf("a", files, 100), hostOf("b", files, 700)}, "1,000 connections are more than the 800 that the agents can open (a 100, b 700)"},
		{"unlimited files", Load{Connections: 8}, "", []*Host{hostOf("a", sysctl.Unlimited, ports), hostOf("b", sysctl.Unknown, ports)}, "0:4, 1:4"},
		{"loopback sources in turn", Load{Connections: 4}, "127.0.0.2-127.0.0.4", even[:2], "0:2 127.0.0.2 127.0.0.4, 1:2 127.0.0.3"},
		{"fewer sources than agents of a host", Load{Connections: 4}, "127.0.0.2", even[:2], "0:2 127.0.0.2, 1:2 127.0.0.2"},
		{"each its own", Load{Connections: 4}, "10.0.0.1-10.0.0.4", []*Host{hostOf("a", files, ports, "10.0.0.3"), hostOf("b", files, ports, "10.0.0.1", "10.0.0.2")}, "0:2 10.0.0.3, 1:2 10.0.0.1 10.0.0.2"},
		{"more ports by sources", Load{Connections: 600}, "10.0.0.1-10.0.0.3", []*Host{hostOf("a", files, 100, "10.0.0.3"), hostOf("b", files, 300, "10.0.0.1", "10.0.0.2")}, "0:100 10.0.0.3, 1:500 10.0.0.1 10.0.0.2"},
		{"none of its own", Load{Connections: 4}, "10.0.0.1", []*Host{hostOf("a", files, ports, "10.0.0.1"), hostOf("b", files, ports, "127.0.0.1", "10.0.0.9")}, "none of the source addresses is one of agent b, which has 10.0.0.9"},
		{"processes of one host share its sources", Load{Connections: 2000}, "10.0.0.1-10.0.0.4", []*Host{hostOf("a", files, ports, "10.0.0.1", "10.0.0.2", "10.0.0.3")}, "0:1000 10.0.0.1, 0:1000 10.0.0.2 10.0.0.3"},
	} {
		if c.sources != "" {
			var err error
			if c.load.Sources, err = flood.ParseSources([]string{c.sources}); err != nil {
				t.Fatal(err)
			}
		}
		shares, err := Divide(c.load, c.hosts)
		got := plain(shares)
		if err != nil {
			got = err.Error()
		}
		if err == nil && got != c.want || !strings.Contains(got, c.want) {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestAHostThatCanHoldNothingGetsNothing(t *testing.T) {
	shares, err := Divide(Load{Connections: 10}, []*Host{hostOf("a", 1064, 0), hostOf("b", 1064, 60_000)})
	if err != nil || plain(shares) != "1:10" {
		t.Errorf("%s, %v", plain(shares), err)
	}
}
