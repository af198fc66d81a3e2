package sysctl

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestConf(t *testing.T) {
	m := narrow(t)
	need := Need{Connections: 4500, Role: Both}
	s, limits := examine(t, m, need)
	var b strings.Builder
	if err := Conf(&b, need, s, limits); err != nil {
		t.Fatal(err)
	}
	var active []string
	for line := range strings.Lines(b.String()) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			active = append(active, line)
		}
	}
	// fs.nr_open, tcp_mem and conntrack have enough for 4,500.
	want := []string{
		"fs.file-max = 12035", "fs.epoll.max_user_watches = 11410", "net.ipv4.ip_local_port_range = 1024 65535",
		"net.core.somaxconn = 4096", "net.ipv4.tcp_max_syn_backlog = 1024",
	}
	if !slices.Equal(active, want) {
		t.Errorf("set %q, want %q", active, want)
	}
	for _, part := range []string{
		"# LimitNOFILE=4564\n", "# fs.nr_open: 8,192 now, 4,564 needed\n",
		"# pids.max, now 20 of 33: raise it to 33", "/etc/sysctl.d/90-comet.conf",
	} {
		if !strings.Contains(b.String(), part) {
			t.Errorf("lacks %q:\n%s", part, b.String())
		}
	}
}

// TestConfOfVeryMany: more files than an int of 32 bits counts are printed.
func TestConfOfVeryMany(t *testing.T) {
	n, s := Need{Connections: math.MaxInt32}, roomy()
	var b strings.Builder
	if err := Conf(&b, n, s, Examine(n, s)); err != nil || !strings.Contains(b.String(), "# LimitNOFILE=2147483711\n") {
		t.Errorf("%v:\n%s", err, b.String())
	}
}

func TestConfOfARoomyMachine(t *testing.T) {
	var b strings.Builder
	need := Need{Connections: 1000, Role: Both}
	if err := Conf(&b, need, roomy(), Examine(need, roomy())); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if line != "\n" && line[0] != '#' {
			t.Errorf("sets something: %q", line)
		}
	}
	if !strings.Contains(b.String(), "No kernel setting is short.") || !strings.Contains(b.String(), "# LimitNOFILE=1064\n") {
		t.Error(b.String())
	}
	mac := roomy()
	mac.OS = "darwin"
	if err := Conf(&b, need, mac, nil); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a sysctl.d file for macOS: %v", err)
	}
}
