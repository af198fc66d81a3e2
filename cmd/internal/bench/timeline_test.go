package bench

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.org/comet/cmd/internal/fleet"
	"example.org/comet/cmd/internal/probe"
	"example.org/comet/cmd/internal/result"
	"example.org/comet/flood"
	"example.org/comet/msggen"
)

// spreadOf returns the distribution of times in microseconds, as a flood tells of it.
func spreadOf(t *testing.T, us ...string) *flood.Spread {
	t.Helper()
	s := new(flood.Spread)
	if err := json.Unmarshal([]byte("["+strings.Join(us, ",")+"]"), s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTimeline(t *testing.T) {
	r, _ := onStage(t, &stage{parts: []member{{
		Part: probe.Part{Role: "server", Number: 1},
		read: func(bool) (probe.Usage, bool) {
			return probe.Usage{At: time.Now(), RSS: result.Of(1000), CPU: result.Of(1)}, true
		},
	}, {
		Part: probe.Part{Role: "router", Number: 1},
		read: func(bool) (probe.Usage, bool) { return probe.Usage{}, false },
	}}})
	r.joint = true
	r.at = "connect"
	var told []result.Moment
	var soFar result.Quantiles
	r.cfg.OnMoment = func(m result.Moment, q result.Quantiles) { told, soFar = append(told, m), q }
	one, two := &floodPart{Process: new(fleet.Process)}, &floodPart{Process: new(fleet.Process)}
	end := r.beginTimeline()
	r.floods = []*floodPart{one, two}
	now := time.Now()
	for _, f := range r.floods {
		for _, s := range []flood.Sample{
			{Time: now, Elapsed: 200 * time.Millisecond, Counts: flood.Counts{Asked: 5, Connected: 5}},
			{Time: now.Add(time.Second), Elapsed: 1200 * time.Millisecond, Counts: flood.Counts{Asked: 5, Connected: 5, Delivered: 100}, Spread: spreadOf(t, "1000", "20", "99", "486", "1")},
		} {
			line, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			r.sample(f, line)
		}
	}
	r.enter("messages")
	end()
	r.seal()
	line := r.rec.timeline
	if len(line.Moments) < 3 || len(told) != len(line.Moments) || line.Moments[0].Phase != "connect" || line.Moments[len(line.Moments)-1].Phase != "messages" {
		t.Fatalf("%+v, told of %d", line.Moments, len(told))
	}
	m := line.Moments[1]
	if show(m.Connected) != "10" || show(m.Delivered) != "200" || show(m.Memory) != "1000" {
		t.Errorf("%+v", m)
	}
	if p50, _ := m.Latency.P50.Value(); p50 != 0.02 || show(m.Latency.Max) != "1" || show(soFar.Max) != "1" {
		t.Errorf("latency %+v, so far %+v, want that of both floods", m.Latency, soFar)
	}
	if _, known := line.Moments[2].Latency.P50.Value(); known {
		t.Errorf("%+v has the latency of the moment before", line.Moments[2])
	}
	delivered, _, opened := r.timeline.Load().rates(now.Add(time.Second))
	if delivered != 200 || opened != 0 {
		t.Errorf("%v delivered and %v opened per second, want 200 and none any more", delivered, opened)
	}
	if delivered, _, _ := r.timeline.Load().rates(now.Add(time.Minute)); delivered != 0 {
		t.Errorf("%v per second of floods that are silent", delivered)
	}
	log, err := os.ReadFile(filepath.Join(r.folder, floodLog))
	if err != nil || !strings.Contains(string(log), "connected=10\tclosed=0\tchunks=0\tp50_ms=0.020\t") {
		t.Errorf("flood.log has %q, %v", log, err)
	}
}

// TestTimelineOfATrial: the floods go on counting from trial to trial, and their lap is
// of the last one. What a moment counts is of its trial, and does not fall at its end.
func TestTimelineOfATrial(t *testing.T) {
	r, _ := onStage(t, new(stage))
	r.laps = true
	f := &floodPart{Process: new(fleet.Process)}
	r.floods = []*floodPart{f}
	delivered := func(n, attempts uint64) flood.Counts {
		return flood.Counts{Connected: 5, Delivered: n, Reconnect: flood.Reconnects{Attempts: attempts}}
	}
	f.live.Store(&flood.Sample{Counts: delivered(1000, 10)})
	end := r.beginTimeline()
	now := time.Now()
	r.timeline.Load().sample(f, &flood.Sample{Time: now, Elapsed: time.Minute, Counts: delivered(1000, 10)})
	if perSecond, attempts, opened := r.timeline.Load().rates(now); perSecond != 0 || attempts != 0 || opened != 0 {
		t.Errorf("%v messages, %v attempts and %v connections per second, of earlier trials", perSecond, attempts, opened)
	}
	f.live.Store(&flood.Sample{Counts: delivered(1600, 13)})
	r.enter("drain")
	f.ended.Store(&flood.Result{Counts: delivered(600, 3)})
	end()
	r.seal()
	var got []string
	for _, m := range r.rec.timeline.Moments {
		got = append(got, show(m.Delivered)+" "+show(m.Attempts))
	}
	if text := strings.Join(got, ", "); text != "0 0, 600 3, 600 3" {
		t.Errorf("delivered and attempts are %s", text)
	}
}

// TestTimelineSending: what the generator reports stands in the moments after it, its
// rate as long as it is new, and its account to the end.
func TestTimelineSending(t *testing.T) {
	r, _ := onStage(t, new(stage))
	line := &timeline{run: r, floods: make(map[*floodPart]*pulse)}
	begun := time.Now()
	moment := func(after time.Duration) (m result.Moment) {
		line.addSending(&m, begun.Add(after))
		return m
	}
	if m := moment(0); show(m.Sent) != "null" || show(m.Refused) != "null" {
		t.Errorf("before there are messages: %+v", m)
	}
	stats := func(sent, unanswered, refused uint64) (s msggen.Stats) {
		s.Sent, s.Unanswered, s.Refused = sent, unanswered, refused
		return s
	}
	line.sent(begun, stats(100, 0, 0), nil)
	if m := moment(0); show(m.Sent) != "100" || show(m.SentPerSecond) != "null" {
		t.Errorf("after one report: %+v", m)
	}
	line.sent(begun.Add(2*time.Second), stats(250, 50, 7), &msggen.Lateness{P50: 1, P99: 2, Max: 3})
	if m := moment(3 * time.Second); show(m.Sent) != "300" || show(m.Refused) != "7" || show(m.SentPerSecond) != "100" || show(m.Late.P99) != "2" {
		t.Errorf("after two: %+v", m)
	}
	if m := moment(time.Minute); show(m.Sent) != "300" || show(m.Accepted) != "250" || show(m.SentPerSecond) != "null" || show(m.Late.P99) != "null" {
		t.Errorf("of a generator that is silent: %+v", m)
	}
	// What was on the wire without an answer was refused: how many others were sent
	// meanwhile is not known.
	line.sent(begun.Add(4*time.Second), stats(250, 0, 57), nil)
	if m := moment(4 * time.Second); show(m.Sent) != "250" || show(m.Accepted) != "250" || show(m.SentPerSecond) != "null" {
		t.Errorf("after what was on the wire was refused: %+v", m)
	}
	line.sendingEnded(stats(400, 0, 8))
	if m := moment(3 * time.Second); show(m.Sent) != "400" || show(m.Refused) != "8" || show(m.Late.P50) != "null" {
		t.Errorf("at the end: %+v", m)
	}
	both, _ := twoMoments(result.Moment{SentPerSecond: result.Of(1), Late: result.Quantiles{P99: result.Of(5)}}, result.Moment{SentPerSecond: result.Of(3)}, nil, nil)
	if show(both.SentPerSecond) != "2" || show(both.Late.P99) != "5" {
		t.Errorf("two moments as one: %+v", both)
	}
}

// TestCores: a process that ended takes its processor time along.
func TestCores(t *testing.T) {
	now := time.Now()
	usage := func(after time.Duration, cpu int) map[probe.Part]probe.Usage {
		return map[probe.Part]probe.Usage{theServer: {At: now.Add(after), CPU: result.Of(cpu)}}
	}
	for _, c := range []struct {
		before, now int
		want        string
	}{{10, 13, "1.5"}, {10, 10, "0"}, {10, 4, "null"}} {
		if got := show(cores(usage(2*time.Second, c.now), usage(0, c.before))["server"]); got != c.want {
			t.Errorf("from %d to %d s in 2 s: %s processors, want %s", c.before, c.now, got, c.want)
		}
	}
}

func TestTimelineOfHours(t *testing.T) {
	r, _ := onStage(t, new(stage))
	line := &timeline{run: r, phase: "idle", floods: make(map[*floodPart]*pulse)}
	const seconds = 10_000
	for i := range seconds {
		if i == 5 {
			line.phase = "messages"
		}
		line.came.Add(spreadOf(t, "1000", "506", "1"))
		line.keep(result.Moment{Seconds: float64(i), Phase: line.phase, DeliveredPerSecond: result.Of(1000), Delivered: result.Of(i), CPU: map[string]result.Figure{"server": result.Of(0.5)}})
		line.came.Reset()
	}
	moments := line.out.Moments
	last := moments[len(moments)-1]
	if len(moments) > mostMoments || len(moments) < mostMoments/3 || last.Seconds != seconds-1 || show(last.Delivered) != "9999" {
		t.Fatalf("%d moments, the last %+v", len(moments), last)
	}
	if spans := line.out.Phases(); len(spans) != 2 || spans[1].From > 5 {
		t.Errorf("phases %+v", spans)
	}
	for _, m := range moments {
		if show(m.DeliveredPerSecond) != "1000" || show(m.CPU["server"]) != "0.5" {
			t.Fatalf("%+v", m)
		}
	}
	if longest, _ := moments[0].Latency.Max.Value(); longest != 1 {
		t.Errorf("the first moments' latency is %+v", moments[0].Latency)
	}
}
