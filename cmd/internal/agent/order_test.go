package agent

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"example.org/comet/cmd/internal/flags"
	"example.org/comet/flood"
	"example.org/comet/flood/pace"
	"example.org/comet/flood/users"
	"example.org/comet/server/tlsclient"
	"example.org/comet/server/wire"
)

// TestOrder: what an agent runs is what was ordered, with files of its own.
func TestOrder(t *testing.T) {
	table, err := users.Read(strings.NewReader("token,note\n\"#1\",\"a \"\"b\"\", c\"\n\"\",\"two\nlines\"\n"), "mine.csv")
	if err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, []byte("authorities"), 0o600); err != nil {
		t.Fatal(err)
	}
	pacer, err := pace.PerSecond(100)
	if err != nil {
		t.Fatal(err)
	}
	cfg := flood.Config{
		URL: "https://127.0.0.1:1/{id}?t={token}", Connections: 7, Subscribers: 2, Skip: 1, FanOut: true, TrackOneIn: 3, FirstID: 5, LastID: 9,
		Protocol: flood.SSE, Method: "POST", Body: "{note}", Header: []string{"A: b, c", "D: {token}"},
		Resolve: map[string]netip.Addr{"h:443": netip.MustParseAddr("127.0.0.1")}, TLS: tlsclient.Options{CAFile: ca}, TLSResume: true,
		Talk: flood.Talk{Ready: "*"}, Behavior: flood.Behavior{Churn: 0.05, Reconnect: flood.Reconnect{Min: time.Second, Max: time.Minute, Jitter: flood.NoJitter}},
		Users: table, Sources: []netip.Addr{netip.MustParseAddr("127.0.0.9")}, Pace: pacer, InFlight: 3, Run: []wire.Run{1, 2},
		ConnectTimeout: time.Second, SampleInterval: 20 * time.Millisecond, ClockOffset: -1500 * time.Microsecond,
	}
	text, err := newOrder(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{ca, "mine.csv", filepath.Dir(ca)} {
		if strings.Contains(string(text), path) {
			t.Errorf("the order names the file %s", path)
		}
	}
	o, err := readOrder(text)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd, err := o.command(dir)
	if err != nil && !strings.Contains(err.Error(), "has no certificate in it") { // as is so
		t.Fatal(err)
	}
	got := cmd.Config
	for n := range table.Len() {
		for i := range table.Columns() {
			if a, b := got.Users.Cell(n, i), table.Cell(n, i); a != b {
				t.Errorf("user %d has %q, want %q", n, a, b)
			}
		}
	}
	if text, err := os.ReadFile(got.TLS.CAFile); err != nil || string(text) != "authorities" || filepath.Dir(got.TLS.CAFile) != dir || got.Users.Name() != filepath.Join(dir, "users.csv") {
		t.Errorf("%q, %v, and the users are in %s", text, err, got.Users.Name())
	}
	got.Users, got.TLS = cfg.Users, cfg.TLS
	if !reflect.DeepEqual(got, cfg) {
		t.Errorf("the flood is\n%+v, want\n%+v", got, cfg)
	}
	if !cmd.JSON || !cmd.Attended || cmd.Log != "" || cmd.URLFile != "" {
		t.Errorf("%+v", cmd)
	}
}

func TestOrderOfURLs(t *testing.T) {
	text, err := newOrder(flood.Config{URLs: []string{"http://127.0.0.1:1/a", "http://127.0.0.1:1/b"}})
	if err != nil {
		t.Fatal(err)
	}
	o, err := readOrder(text)
	if err != nil {
		t.Fatal(err)
	}
	cmd, err := o.command(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	urls, err := flags.ReadURLs(cmd.URLFile, nil)
	if err != nil || !reflect.DeepEqual(urls, o.URLs) {
		t.Errorf("%q, %v", urls, err)
	}
}

// TestOrdersThatAreRefused: paths and commands, and what no flood has.
func TestOrdersThatAreRefused(t *testing.T) {
	url := []string{"http://127.0.0.1:1/{id}"}
	for _, c := range []struct {
		o    any
		want string
	}{
		{order{Settings: flags.FloodSettings{"url": url, "users": {"/etc/passwd"}}}, `"users" is no setting that another host can be told`},
		{order{Settings: flags.FloodSettings{"url": url, "urls": {"-"}}}, `"urls" is no setting`},
		{order{Settings: flags.FloodSettings{"url": url, "ca": {"/etc/passwd"}}}, `"ca" is no setting`},
		{order{Settings: flags.FloodSettings{"url": url, "cert": {"f"}}}, `"cert" is no setting`},
		{order{Settings: flags.FloodSettings{"url": url, "key": {"f"}}}, `"key" is no setting`},
		{order{Settings: flags.FloodSettings{"url": url, "log": {"x.log"}}}, `"log" is no setting`},
		{order{Settings: flags.FloodSettings{"url": url, "attended": {"false"}}}, `"attended" is no setting`},
		{order{Settings: flags.FloodSettings{"url": url, "router": {"nats://a"}}}, `"router" is no setting`},
		{order{Settings: flags.FloodSettings{"url": url, "new": {"1"}}}, `"new" is no setting`},
		{order{Settings: flags.FloodSettings{"url": url, "connections": {"-1"}}}, "connections: "},
		{order{Settings: flags.FloodSettings{}}, "give one URL"},
		{order{Settings: flags.FloodSettings{"url": url, "connections": {"2000000000"}}}, "stand in the way"},
		{order{Settings: flags.FloodSettings{"url": url}, Users: "a,a\n1,2\n"}, "two columns are named"},
		{map[string]any{"command": "sh"}, "the order cannot be read"},
	} {
		text, err := json.Marshal(c.o)
		if err != nil {
			t.Fatal(err)
		}
		o, err := readOrder(text)
		if err == nil {
			_, err = o.command(t.TempDir())
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", text, err, c.want)
		}
	}
}
