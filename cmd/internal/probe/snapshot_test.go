package probe

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"example.org/comet/cmd/internal/result"
)

func Example() {
	server := Part{Role: "server", Number: 1}
	before := Snapshot{Usage: map[Part]Usage{server: {CPU: result.Of(1.5)}}}
	after := Snapshot{Usage: map[Part]Usage{server: {CPU: result.Of(4)}}}
	seconds, known := after.Sub(before).Sum("server", CPU).Value()
	fmt.Println(seconds, known)
	_, known = after.Sub(before).Sum("server", RSS).Value()
	fmt.Println(known)
	// Output:
	// 2.5 true
	// false
}

func TestDelta(t *testing.T) {
	of := result.Of[int]
	one, two, three := Part{"server", 1}, Part{"server", 2}, Part{"server", 3}
	flood := Part{"flood", 1}
	before := Snapshot{
		Machine: Machine{InUse: of(100)}, Slabs: Slabs{Total: of(50), Caches: map[string]int64{"TCP": 10, "gone": 5}},
		TCP: TCP{ListenOverflows: of(1)}, CPU: Processors{All: of(100), Idle: of(50), Stolen: of(0)},
		Usage: map[Part]Usage{one: {RSS: of(10), CPU: of(1)}, two: {RSS: of(20)}, flood: {RSS: of(1000)}},
	}
	after := Snapshot{
		At: time.Now(), Machine: Machine{InUse: of(170)}, Slabs: Slabs{Total: of(80), Caches: map[string]int64{"TCP": 30, "new": 7}},
		TCP: TCP{ListenOverflows: of(4), Retransmits: of(9)}, CPU: Processors{All: of(200), Idle: of(60), Stolen: of(10)},
		Usage: map[Part]Usage{one: {RSS: of(15), CPU: of(4), Threads: of(3)}, two: {PSS: of(1)}, three: {RSS: of(99)}, flood: {RSS: of(1001)}},
	}
	if before.Taken() || !after.Taken() {
		t.Error("a snapshot that was taken has a time, another has none")
	}
	d := after.Sub(before)
	for name, c := range map[string]struct {
		got  result.Figure
		want string
	}{
		"machine": {d.Machine, "70"}, "slabs": {d.Slabs, "30"}, "TCP": {d.Caches["TCP"], "20"}, "a new cache": {d.Caches["new"], "7"},
		"overflows": {d.TCP.ListenOverflows, "3"}, "retransmits, unknown before": {d.TCP.Retransmits, "null"},
		"busy": {d.Busy, "0.9"}, "stolen": {d.Stolen, "0.1"},
		// The second has no memory now, and the third had none before.
		"memory of the servers": {d.Sum("server", RSS), "5"}, "and of the floods": {d.Sum("flood", RSS), "1"},
		"processor time": {d.Sum("server", CPU), "3"}, "proportional memory": {d.Sum("server", PSS), "null"},
		"a role that is not there": {d.Sum("router", RSS), "null"},
		"memory at one moment":     {after.Sum("server", RSS), "114"},
		"threads, unknown before":  {d.Usage[one].Threads, "null"},
	} {
		if got := show(c.got); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	if _, there := d.Usage[three]; there {
		t.Error("a part that came later has changed by nothing")
	}
	// A process of the tree has ended, and taken its processor time along.
	before.Usage[two], after.Usage[two] = Usage{CPU: of(20)}, Usage{CPU: of(3)}
	if d := after.Sub(before); show(d.Usage[two].CPU) != "null" || show(d.Sum("server", CPU)) != "3" {
		t.Errorf("processor time that went back is %s, and the sum %s", show(d.Usage[two].CPU), show(d.Sum("server", CPU)))
	}
	// Caches that could not be read before have not grown from 0.
	if d := after.Sub(Snapshot{}); len(d.Caches) != 0 || d.Machine != (result.Figure{}) || len(d.Usage) != 0 {
		t.Errorf("%+v since nothing was known", d)
	}
}

// TestWith: parts that came later count as if they had been there, and nothing else does.
func TestWith(t *testing.T) {
	of := result.Of[int]
	one, two := Part{"server", 1}, Part{"server", 2}
	snapshot := func(inUse, slabs int, tcp int64, usage map[Part]Usage) Snapshot {
		return Snapshot{At: time.Now(), Machine: Machine{InUse: of(inUse)}, Slabs: Slabs{Total: of(slabs), Caches: map[string]int64{"TCP": tcp}}, Usage: usage}
	}
	begun := snapshot(100, 50, 5, map[Part]Usage{one: {RSS: of(10)}})
	before := snapshot(700, 350, 300, map[Part]Usage{one: {RSS: of(90)}})
	after := snapshot(715, 352, 301, map[Part]Usage{one: {RSS: of(91)}, two: {RSS: of(12)}})
	got := begun.With(before, after)
	if show(got.Machine.InUse) != "115" || show(got.Slabs.Total) != "52" || got.Slabs.Caches["TCP"] != 6 || show(got.Sum("server", RSS)) != "22" {
		t.Errorf("%+v", got)
	}
	if len(begun.Usage) != 1 || begun.Slabs.Caches["TCP"] != 5 {
		t.Errorf("%+v has changed", begun)
	}
	// What was not known then is not known by this.
	if got := (Snapshot{}).With(before, after); got.Machine.InUse != (result.Figure{}) || got.Slabs.Caches != nil || show(got.Sum("server", RSS)) != "12" {
		t.Errorf("%+v", got)
	}
}

func TestTake(t *testing.T) {
	self := int32(os.Getpid())
	child := exec.Command(os.Args[0], "-test.run=^$")
	if err := child.Run(); err != nil {
		t.Fatal(err)
	}
	us, gone, tree, log := Part{"server", 1}, Part{"server", 2}, Part{"server", 3}, Part{"server", 4}
	s := Take(true, map[Part]Reading{
		us: Process(self), gone: Process(int32(child.Process.Pid)), tree: Trees([]int32{self}), log: new(Log).Since(time.Time{}),
	})
	if !s.Taken() || len(s.Usage) != 2 {
		t.Fatalf("%+v; want this process, by itself and with its descendants", s.Usage)
	}
	u := s.Usage[us]
	if rss, _ := u.RSS.Value(); rss < 1<<20 {
		t.Errorf("this process has %s bytes", show(u.RSS))
	}
	if u.Procs != result.Of(1) || u.CPU == (result.Figure{}) || time.Since(u.At) > time.Minute {
		t.Errorf("%+v", u)
	}
	if more := Take(false, map[Part]Reading{us: Process(self)}); more.Usage[us].PSS != (result.Figure{}) {
		t.Errorf("%s bytes of proportional memory were not asked for", show(more.Usage[us].PSS))
	}
	if m := Memory(); m.InUse != (result.Figure{}) {
		total, _ := m.Total.Value()
		if used, _ := m.InUse.Value(); used <= 0 || used > total {
			t.Errorf("%v of %v bytes are in use", used, total)
		}
	}
}
