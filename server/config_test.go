package server

import (
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestConfigValidate(t *testing.T) {
	if err := (Config{}).Validate(); err != nil {
		t.Errorf("the zero Config: %v", err)
	}
	for _, c := range []struct {
		name string
		cfg  Config
		want []string // in the error, each
	}{
		{"engine", Config{Engine: "threads"}, []string{`engine "threads"`, "epoll or goroutine"}},
		{"policy", Config{SlowClient: "wait"}, []string{`"wait"`, "disconnect or drop"}},
		{"loops", Config{Loops: -1}, []string{"-1 event loops"}},
		{"sample", Config{AccessLogSample: -1}, []string{"1 in -1"}},
		{"heartbeat", Config{Heartbeat: time.Millisecond}, []string{"1ms", "10ms"}},
		{"keepalive", Config{KeepAlive: 10 * time.Hour}, []string{"10h0m0s", "9h6m7s or less"}},
		{"backlog", Config{BacklogBytes: 100}, []string{"100 bytes"}},
		{"backlog of none", Config{BacklogBytes: -1}, []string{"0 bytes", "1024 or more"}},
		{"head", Config{MaxHeadBytes: -1}, []string{"-1 bytes", "1024 to 16777216"}},
		{"large head", Config{MaxHeadBytes: 1 << 30}, []string{"1073741824", "16777216"}},
		{"origin", Config{AllowOrigins: []string{"app.example.com"}}, []string{`"app.example.com"`, "https://app.example.com"}},
		{"origins", Config{AllowOrigins: []string{"*", "https://a"}}, []string{`"*"`, "leave the others out"}},
		{"address", Config{Listen: "8000"}, []string{`"8000"`, "127.0.0.1:8000"}},
		{"admin for all", Config{Admin: "0.0.0.0:8001"}, []string{"0.0.0.0:8001", "--admin-token-file", "COMET_ADMIN_TOKEN"}},
		{"admin without host", Config{Admin: ":8001"}, []string{"--admin-token-file"}},
		{"admin on a name", Config{Admin: "example.com:8001"}, []string{"--admin-token-file"}},
		{"admin on IPv6", Config{Admin: "[::]:8001"}, []string{"--admin-token-file"}},
		{"everything at once", Config{Engine: "x", SlowClient: "y", Loops: 5000, Listen: "z"}, []string{`"x"`, `"y"`, "5000", `"z"`}},
	} {
		err := c.cfg.Validate()
		if err == nil {
			t.Errorf("%s: no error", c.name)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not say %q", c.name, err, want)
			}
		}
		for line := range strings.Lines(err.Error()) {
			if !strings.HasPrefix(line, "server: ") {
				t.Errorf("%s: line %q", c.name, line)
			}
		}
		if s, err := New(c.cfg); err == nil {
			s.Close()
			t.Errorf("%s: New takes it", c.name)
		}
	}
	for _, cfg := range []Config{
		// What can be without effect is so with a negative value.
		{MaxConnections: -1, ConnectionLimit: -1, HeadTimeout: -1, PollTimeout: -1, KeepAlive: -1, Heartbeat: -1, DrainDelay: -1, DrainTimeout: -1},
		{KeepAlive: mostKeepAlive},
		{AllowOrigins: []string{"https://app.example.com", "null"}},
		{Admin: "localhost:0"},
		{Admin: "127.0.0.9:0"},
		{Admin: "[::1]:0"},
		{Admin: "0.0.0.0:0", AdminToken: "t"},
		{Listen: ":0"},
	} {
		if err := cfg.Validate(); err != nil {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}

// TestPortInUse: the error says so, for each listener, and leaves nothing open.
func TestPortInUse(t *testing.T) {
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine})
		foreign, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer foreign.Close()
		const free = "127.0.0.1:0" // a port of which nobody knows, for nobody to take
		for _, loops := range []int{1, 2} {
			for what, cfg := range map[string]Config{
				"stream listener on " + r.Addr().String():       {Listen: r.Addr().String(), Admin: free},
				"stream listener on " + foreign.Addr().String(): {Listen: foreign.Addr().String(), Admin: free},
				"admin listener on " + r.AdminAddr().String():   {Listen: free, Admin: r.AdminAddr().String()},
			} {
				cfg.Engine, cfg.Loops = t.engine, loops
				files := 0
				if runtime.GOOS != "windows" {
					files = openFiles(t)
				}
				s, err := New(cfg)
				if err == nil {
					s.Close()
					t.Fatalf("%d loops: %s is shared", loops, what)
				}
				for _, want := range []string{"server: cannot open the " + what, "another program listens there", "choose another port"} {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("%q does not say %q", err, want)
					}
				}
				if runtime.GOOS != "windows" {
					if now := openFiles(t); now > files {
						t.Fatalf("%s: of the other listener %d files were left open", what, now-files)
					}
				}
			}
		}
	})
}

func TestAddressOfAnotherMachine(t *testing.T) {
	bothEngines(t, func(t engineT) {
		s, err := New(Config{Engine: t.engine, Listen: "192.0.2.1:0", Admin: "127.0.0.1:0"}) // RFC 5737
		if err == nil {
			s.Close()
			t.Fatal("it listens there")
		}
		if !strings.Contains(err.Error(), "this machine has no such address") {
			t.Error(err)
		}
	})
}

// TestTooManyConnections: more than there may be files is refused at once.
func TestTooManyConnections(t *testing.T) {
	files := openFileLimit()
	if files == 0 || files > 1<<40 {
		t.Skip("this system does not limit open files")
	}
	s, err := New(Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", MaxConnections: int(files)})
	if err == nil {
		s.Close()
		t.Fatal("it takes more connections than files")
	}
	if !strings.Contains(err.Error(), "ulimit -n") {
		t.Error(err)
	}
	r := open(t, Config{})
	defer r.Close()
	if got := r.MaxConnections(); got != int64(files)-reservedFiles {
		t.Errorf("%d connections of %d files", got, files)
	}
}

// TestKeepAlive: the questions are as far apart as stated.
func TestKeepAlive(t *testing.T) {
	for idle, want := range map[time.Duration]time.Duration{
		0: 15 * time.Second, time.Hour: 15 * time.Second, 10 * time.Second: 10 * time.Second, time.Second: time.Second, time.Millisecond: time.Second,
	} {
		cfg := Config{KeepAlive: idle}.withDefaults()
		if got := cfg.keepAlive(); !got.Enable || got.Interval != want || got.Count != 4 {
			t.Errorf("--keepalive %v: %+v, want questions %v apart", idle, got, want)
		}
	}
	if cfg := (Config{KeepAlive: -1}).withDefaults(); cfg.keepAlive().Enable || cfg.userTimeout() != 0 {
		t.Error("off, and it is on")
	}
	for cfg, want := range map[*Config]time.Duration{
		{}: 6 * time.Minute, {KeepAlive: time.Second}: 5 * time.Second, {KeepAlive: time.Second, SlowClient: Drop}: 0,
	} {
		if cfg := cfg.withDefaults(); cfg.userTimeout() != want {
			t.Errorf("--keepalive %v with %s: bytes may go unacknowledged for %v, want %v", cfg.KeepAlive, cfg.SlowClient, cfg.userTimeout(), want)
		}
	}
}
