package bench

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"example.org/comet/cmd/internal/flags"
	"example.org/comet/cmd/internal/probe"
	"example.org/comet/flood"
	"example.org/comet/flood/pace"
	"example.org/comet/flood/users"
	"example.org/comet/msggen"
	"example.org/comet/sysctl"
)

func TestDivide(t *testing.T) {
	for _, c := range []struct{ connections, room, floods int }{
		{1000, 19_936, 1}, {1000, 0, 1}, {19_937, 19_936, 2}, {1_000_000, 19_936, 51}, {3, 1, 3},
	} {
		pairs := divide(c.connections, 1, c.room)
		if len(pairs) != c.floods {
			t.Errorf("%d connections of which one process holds %d: %d floods, want %d", c.connections, c.room, len(pairs), c.floods)
		}
		next := int64(1)
		for i, p := range pairs {
			if p.firstID != next || p.connections < 1 || c.room > 0 && p.connections > c.room {
				t.Errorf("flood %d of %d has %d connections from id %d, want some from %d", i, c.floods, p.connections, p.firstID, next)
			}
			next += int64(p.connections)
		}
		if next != int64(c.connections)+1 {
			t.Errorf("%d connections, want %d", next-1, c.connections)
		}
	}
}

// fewFiles is a system where a process holds 100 connections.
func fewFiles() sysctl.System {
	s := sysctl.UnknownSystem()
	s.OpenFiles, s.OpenFilesHard = 100+sysctl.Reserve, 100+sysctl.Reserve
	return s
}

func TestPlanTarget(t *testing.T) {
	cfg := &Config{Connections: 250}
	site := &foreign{
		Target: &Target{URL: "http://10.0.0.1/s/{id}", FirstID: 1001, LastID: 9000},
		addrs:  []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:80")},
	}
	p := site.arrange(cfg, fewFiles())
	if len(p.pairs) != 3 || p.pairs[0].firstID != 1001 || p.pairs[2].lastID() != 1250 {
		t.Errorf("%+v; want ids 1001 to 1250 among 3 floods", p.pairs)
	}
	if p.pairs[0].sources != nil || p.need.SourceAddresses != 1 || p.need.Role != sysctl.Client || p.here || p.counted || !p.posted || p.each != 1 {
		t.Errorf("%+v; want the kernel to choose where to connect from, on a machine without the server", p)
	}

	cfg.Streams.Sources, _ = flood.ParseSources([]string{"10.0.0.2-10.0.0.5", "10.0.0.9"})
	p = site.arrange(cfg, fewFiles())
	var sources []string
	for _, one := range p.pairs {
		sources = append(sources, strings.Join(flags.FormatSources(one.sources), " "))
	}
	if want := []string{"10.0.0.2", "10.0.0.3-10.0.0.4", "10.0.0.5 10.0.0.9"}; !reflect.DeepEqual(sources, want) {
		t.Errorf("the floods connect from %q, want %q", sources, want)
	}
	if p.need.SourceAddresses != 5 {
		t.Errorf("%d source addresses, want 5", p.need.SourceAddresses)
	}
	cfg.Streams.Sources, _ = flood.ParseSources([]string{"10.0.0.2-10.0.0.3"})
	for i, one := range site.arrange(cfg, fewFiles()).pairs {
		if len(one.sources) != 1 {
			t.Errorf("flood %d connects from %q, want one of the two addresses", i, one.sources)
		}
	}

	// Fewer ids than connections: each flood has them all.
	site.LastID = 1010
	for i, one := range site.arrange(cfg, fewFiles()).pairs {
		if one.firstID != 1001 || one.lastID() != 1010 {
			t.Errorf("flood %d has ids %d to %d, want 1001 to 1010", i, one.firstID, one.lastID())
		}
	}
}

func TestMessageIDs(t *testing.T) {
	for _, c := range []struct {
		name        string
		target      Target
		first, last int64
		each        int
		streams     flood.Config
	}{
		{"those of the connections", Target{URL: "http://h/{id}"}, 1, 100, 1, flood.Config{}},
		{"as many as there are connections", Target{URL: "http://h/{id}", FirstID: 11, LastID: 9999}, 11, 110, 1, flood.Config{}},
		{"of several connections each", Target{URL: "http://h/{id}", FirstID: 11, LastID: 20}, 11, 20, 10, flood.Config{}},
		{"from one of them on", Target{URL: "http://h/{id}", FirstMessageID: 5}, 5, 100, 1, flood.Config{}},
		{"some of them", Target{URL: "http://h/{id}", FirstMessageID: 5, LastMessageID: 6}, 5, 6, 1, flood.Config{}},
		{"some of nobody", Target{URL: "http://h/{id}", FirstMessageID: 1, LastMessageID: 101}, 1, 101, 0, flood.Config{}},
		{"without an id", Target{URL: "http://h/all"}, 1, 100, 0, flood.Config{}},
		{"of URLs that nobody knows the ids of", Target{URLs: []string{"http://h/{id}"}}, 1, 100, 0, flood.Config{}},
		{"with the id in a first message", Target{URL: "ws://h/all"}, 1, 100, 1, flood.Config{Talk: flood.Talk{FirstMessages: []string{"hello", "*=>join {id}"}}}},
		{"with the id in a header", Target{URL: "http://h/all"}, 1, 100, 1, flood.Config{Header: []string{"X-User: {id}"}}},
		{"rooms", Target{URL: "http://h/{id}"}, 1, 100, 20, flood.Config{Subscribers: 20}},
		{"some of the rooms", Target{URL: "http://h/{id}", FirstID: 11, LastMessageID: 12}, 11, 12, 20, flood.Config{Subscribers: 20}},
		{"rooms that nobody knows the ids of", Target{URL: "http://h/all"}, 1, 100, 0, flood.Config{Subscribers: 20}},
		{"one room, whatever its name is", Target{URL: "http://h/all"}, 1, 1, 100, flood.Config{Subscribers: 100}},
		{"with the id in a body", Target{URL: "http://h/all"}, 1, 100, 1, flood.Config{Body: `{"user":{id}}`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := &Config{Connections: 100, Streams: c.streams}
			if n := c.streams.Subscribers; n == 20 {
				cfg.Connections = 2000
			}
			if first, last := c.target.messageIDs(cfg.rooms()); first != c.first || last != c.last {
				t.Errorf("ids %d to %d, want %d to %d", first, last, c.first, c.last)
			}
			p := (&foreign{Target: &c.target}).arrange(cfg, sysctl.UnknownSystem())
			if p.each != c.each {
				t.Errorf("each message is for %d connections, want %d", p.each, c.each)
			}
		})
	}
}

func TestTargetURLs(t *testing.T) {
	target := &foreign{Target: &Target{URLs: []string{"http://h/a", "http://h/b", "http://h/c"}}}
	p := &plan{pairs: divide(7, 1, 4)} // 3 and 4 connections
	var got []string
	for i := range p.pairs {
		path, err := writeURLs(t.TempDir(), i, target.urlsOf(p, i))
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", " "))
	}
	// Of rooms it has those that its connections are in.
	p = &plan{subscribers: 4, pairs: spread(12, 4, 2)}
	path, err := writeURLs(t.TempDir(), 1, target.urlsOf(p, 1))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "http://h/b\nhttp://h/c\n" {
		t.Errorf("%q, %v", text, err)
	}
	// The second flood takes them in turn, so that its fourth is its first again.
	if want := []string{"http://h/a http://h/b http://h/c", "http://h/a http://h/b http://h/c"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestTargetLabel(t *testing.T) {
	for url, want := range map[string]string{
		"http://127.0.90.1:8090/sub/{id}": "127.0.90.1_8090",
		"http://[::1]:80/":                "___1__80",
		"http://web-1.example":            "web-1.example",
	} {
		if got := (&foreign{Target: &Target{URL: url}}).label(); got != want {
			t.Errorf("%s: %q, want %q", url, got, want)
		}
	}
}

func TestTargetIsRefusedBeforeThereIsAFolder(t *testing.T) {
	for name, c := range map[string]struct {
		target Target
		rate   pace.Rate
		want   string
	}{
		"no URL":            {Target{}, 0, "give one URL with {id}"},
		"nowhere to send":   {Target{URL: "http://127.0.0.1:1/{id}"}, 10, "nowhere to send messages to"},
		"nobody is sent to": {Target{URL: "http://127.0.0.1:1/{id}", Publish: &msggen.PublishConfig{URL: "http://127.0.0.1:1/"}}, 10, "{id}"},
		"ids of nobody":     {Target{URL: "http://127.0.0.1:1/{id}", FirstMessageID: 99}, 0, "are for nobody"},
		"two witnesses":     {Target{URL: "http://127.0.0.1:1/{id}", Match: "x", PIDs: []int32{1}}, 0, "choose one"},
		"nothing matches":   {Target{URL: "http://127.0.0.1:1/{id}", Match: "nothing is called so"}, 0, "nothing that runs matches"},
		"no log":            {Target{URL: "http://127.0.0.1:1/{id}", Log: filepath.Join(t.TempDir(), "none.log")}, 0, "none.log"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t)
			cfg.Engine, cfg.Rate, cfg.Target = "", c.rate, &c.target
			if outcome, err := Run(t.Context(), cfg); outcome != nil || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v; want %q in it, and no outcome (%v)", err, c.want, outcome)
			}
			if _, err := os.Stat(cfg.Out); err == nil {
				t.Error("there is a folder")
			}
		})
	}
}

func TestTargetThatIsGone(t *testing.T) {
	if err := (&foreign{pids: []int32{int32(os.Getpid())}}).gone(); err != nil {
		t.Errorf("this process: %v", err)
	}
	const nobody = 1<<31 - 2 // above any kernel.pid_max
	if err := (&foreign{pids: []int32{int32(os.Getpid()), nobody}}).gone(); err == nil || !strings.Contains(err.Error(), "(pid 2147483646) has ended") {
		t.Errorf("one of two has ended: %v", err)
	}
}

func TestWitness(t *testing.T) {
	for want, f := range map[string]*foreign{
		"pid 7 and its descendants": {pids: []int32{7}}, "pids 7,8 and their descendants": {pids: []int32{7, 8}},
		"the memory log from web1.log": {log: &probe.Log{Name: "web1.log"}}, "": {},
	} {
		if got := f.witness(); !strings.HasPrefix(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		if list := f.members(time.Now()); (len(list) == 0) != (f.pids == nil && f.log == nil) {
			t.Errorf("%s: %+v", want, list)
		}
	}
	f := &foreign{Target: new(Target), addrs: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:80")}, pids: []int32{7}}
	if list := f.countedAt(); len(list) != 1 || list[0] != "127.0.0.1:80" || !f.here() {
		t.Errorf("connections are counted at %v, here: %v", list, f.here())
	}
	f.addrs = []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:80")} // a published port of a container
	if list := f.countedAt(); list != nil || !f.here() {
		t.Errorf("connections are counted at %v, here: %v", list, f.here())
	}
}

func TestEach(t *testing.T) {
	const url = "http://h/{id}"
	for name, c := range map[string]struct {
		target Target
		pairs  []pair
		want   int
	}{
		"one for each":            {Target{URL: url}, []pair{{connections: 40}}, 1},
		"two for each":            {Target{URL: url, FirstID: 1, LastID: 20}, []pair{{connections: 40}}, 2},
		"over two floods":         {Target{URL: url, FirstID: 1, LastID: 10}, []pair{{connections: 20}, {connections: 20}}, 4},
		"some have more":          {Target{URL: url, FirstID: 1, LastID: 15}, []pair{{connections: 40}}, 0},
		"the floods divide badly": {Target{URL: url, FirstID: 1, LastID: 20}, []pair{{connections: 30}, {connections: 10}}, 0},
		"ids without a stream":    {Target{URL: url, FirstID: 1, LastID: 20, LastMessageID: 21}, []pair{{connections: 40}}, 0},
		"one stream for all":      {Target{URL: "http://h/"}, []pair{{connections: 40}}, 0},
	} {
		if got := c.target.each(&Config{Connections: 40}, c.pairs); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

func TestEachUser(t *testing.T) {
	rows := func(head string, row func(i int) string, n int) *users.Table {
		text := head + "\n"
		for i := range n {
			text += row(i) + "\n"
		}
		table, err := users.Read(strings.NewReader(text), "u.csv")
		if err != nil {
			t.Fatal(err)
		}
		return table
	}
	own := func(i int) string { return fmt.Sprintf("user-%d,t%d,room-%d", i, i, i/2) }
	const head, url = "id,token,room", "http://h/{id}"
	twenty := rows(head, own, 20)
	twice := rows(head, func(i int) string { return fmt.Sprintf("user-%d,t%d,r", i/2, i) }, 20)
	uneven := rows(head, func(i int) string { return fmt.Sprintf("user-%d,t%d,r", max(i, 5), i) }, 20)
	for name, c := range map[string]struct {
		users       *users.Table
		connections int
		url, to     string
		room        int
		want        int
	}{
		"a connection each":              {twenty, 20, url, url, 0, 1},
		"fewer connections than users":   {twenty, 7, url, url, 0, 1},
		"several each":                   {twenty, 60, url, url, 0, 3},
		"some have more":                 {twenty, 50, url, url, 0, 0},
		"over floods":                    {twenty, 60, url, url, 25, 3},
		"over floods, a connection each": {twenty, 20, url, url, 7, 1},
		"two rows are one user":          {twice, 20, url, url, 0, 2},
		"rows of a user, connected once": {twice, 10, url, url, 0, 2},
		"half of a user's rows":          {twice, 11, url, url, 0, 0},
		"users with more rows":           {uneven, 20, url, url, 0, 0},
		"known by a token":               {twenty, 20, "http://h/?{token}", url, 0, 1},
		"published by a token":           {twenty, 20, url, "http://h/{token}", 0, 1},
		"known by a room":                {twenty, 20, "http://h/{room}", url, 0, 0},
		"published to a room":            {twenty, 20, url, "http://h/{room}", 0, 0},
		"known by nothing":               {twenty, 20, "http://h/", url, 0, 0},
		"numbers":                        {rows("token", func(i int) string { return fmt.Sprint(i) }, 20), 40, url, url, 0, 2},
	} {
		cfg := &Config{Connections: c.connections, Streams: flood.Config{Users: c.users}}
		cfg.Target = &Target{URL: c.url, FirstID: 1, LastID: int64(c.users.Len()), Publish: &msggen.PublishConfig{URL: c.to, Users: c.users}}
		system := sysctl.UnknownSystem()
		if c.room > 0 {
			system.OpenFiles = sysctl.Value(c.room) + sysctl.Reserve
		}
		p := (&foreign{Target: cfg.Target}).arrange(cfg, system)
		if p.each != c.want || len(p.pairs) > 1 != (c.room > 0) {
			t.Errorf("%s: %d over %d floods, want %d", name, p.each, len(p.pairs), c.want)
		}
	}
}
