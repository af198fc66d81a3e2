package server

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestMemoryLimit: while the process has more memory than it may, streams are refused and
// those that are there stay; afterwards the next gets in.
func TestMemoryLimit(t *testing.T) {
	bothEngines(t, func(t engineT) {
		r := open(t, Config{Engine: t.engine, MemoryLimit: 1 << 20})
		var resident atomic.Int64
		r.core.memory.resident = func() *int64 { return new(resident.Load()) }
		r.run()
		resident.Store(1 << 20) // as much as it may
		stays := r.stream("1")
		resident.Store(1<<20 + 1)
		full := text("503 Service Unavailable", "Retry-After: 1\r\n", "The server has as much memory as it may have. Try again shortly, or another server.")
		const request = "GET /test/2 HTTP/1.1\r\nHost: h\r\n\r\n"
		refused := 0
		for end := time.Now().Add(patience); refused < 3; { // it looks now and then
			c := r.connect(request)
			head := make([]byte, len("HTTP/1.1 "))
			if _, err := c.Read(head); err != nil {
				t.Fatal(err)
			}
			status := make([]byte, 3)
			_, _ = c.Read(status)
			if string(status) == "503" {
				if got := string(head) + "503" + c.rest(); got != full {
					t.Fatalf("refused with %q", got)
				}
				refused++
			}
			c.Close()
			if time.Now().After(end) {
				t.Fatal("nobody is refused")
			}
		}
		if s := r.Stats(); s.RefusedMemory != 3 || s.RefusedFull+s.RefusedOther != 0 {
			t.Errorf("refused_memory %d, others %d; want 3, 0", s.RefusedMemory, s.RefusedFull+s.RefusedOther)
		}
		if _, metrics := r.ask("GET", "/metrics", ""); !strings.Contains(metrics, "\ncomet_refused_total{reason=\"memory\"} 3\n") {
			t.Error("/metrics does not count them")
		}
		r.publish(1, "still here")
		stays.expect(chunk(1, "still here"))
		resident.Store(1)
		r.waitFor("the next to get in", func(Stats) bool {
			c := r.connect(request)
			defer c.Close()
			status := make([]byte, len("HTTP/1.1 200"))
			_, err := c.Read(status)
			return err == nil && string(status) == "HTTP/1.1 200"
		})
	})
}

// TestMemoryUnknown: where the system does not say, and without a limit, nobody is refused.
func TestMemoryUnknown(t *testing.T) {
	unknown := newMemoryLimit(1)
	unknown.resident = func() *int64 { return nil }
	if unknown.exceeded() || newMemoryLimit(0).exceeded() {
		t.Error("a limit is exceeded that is not known, or none")
	}
}

// TestMostIDs: one connection may have so many ids, each counted once.
func TestMostIDs(t *testing.T) {
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine, MaxIDs: 3})
		refusal := text("400 Bad Request", "", "One connection may have up to 3 ids: spread them over several.")
		for _, path := range []string{"/test/1,2,3,4", "/events/1,2,3,4,5", "/poll/9,8,7,6", "/test/1%2C2%2C3%2C4"} {
			if got := r.connect("GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n").rest(); got != refusal {
				t.Errorf("%s is answered %q", path, got)
			}
		}
		r.stream("1,2,3,3,2,1")
		r.waitForLogins(3)
		if s := r.Stats(); s.RefusedOther != 4 {
			t.Errorf("refused_other %d, want 4", s.RefusedOther)
		}
	})
}
