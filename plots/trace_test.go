package plots

import (
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"example.org/comet/memlog/series"
)

const epoch = 1224518244

// sampled is a log of (second, kilobytes) pairs; -1 kilobytes are unknown.
func sampled(pairs ...[2]int64) []series.Sample {
	samples := make([]series.Sample, len(pairs))
	for i, p := range pairs {
		samples[i] = series.Sample{Time: time.Unix(epoch+p[0], 0), RSSKB: p[1], Connections: series.Unknown}
	}
	return samples
}

func TestMakeTrace(t *testing.T) {
	asProcess := func(pid string, samples []series.Sample) []series.Sample {
		for i := range samples {
			samples[i].Fields = []series.Field{{Key: "pid", Value: pid}}
		}
		return samples
	}
	join := func(parts ...[]series.Sample) (all []series.Sample) {
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	tests := []struct {
		name    string
		samples []series.Sample
		lines   [][]point
		dots    []point
	}{
		{
			"a line",
			sampled([2]int64{0, 10}, [2]int64{60, 20}, [2]int64{120, 15}),
			[][]point{{{0, 10}, {1, 20}, {2, 15}}},
			nil,
		},
		{"one sample", sampled([2]int64{0, 10}), nil, []point{{0, 10}}},
		{"all unknown", sampled([2]int64{0, -1}, [2]int64{60, -1}), nil, nil},
		{
			"just no gap: 2.5 intervals",
			sampled([2]int64{0, 1}, [2]int64{60, 2}, [2]int64{120, 3}, [2]int64{270, 4}),
			[][]point{{{0, 1}, {1, 2}, {2, 3}, {4.5, 4}}},
			nil,
		},
		{
			"a gap, and a sample all alone behind it",
			sampled([2]int64{0, 1}, [2]int64{60, 2}, [2]int64{120, 3}, [2]int64{271, 4}),
			[][]point{{{0, 1}, {1, 2}, {2, 3}}},
			[]point{{271.0 / 60, 4}},
		},
		{
			"an unknown sample is bridged like a late one",
			sampled([2]int64{0, 1}, [2]int64{60, 2}, [2]int64{120, -1}, [2]int64{180, 4}),
			[][]point{{{0, 1}, {1, 2}, {3, 4}}},
			nil,
		},
		{
			"two unknown samples are a gap",
			sampled([2]int64{0, 1}, [2]int64{60, 2}, [2]int64{120, -1}, [2]int64{180, -1}, [2]int64{240, 4}, [2]int64{300, 5}),
			[][]point{{{0, 1}, {1, 2}}, {{4, 4}, {5, 5}}},
			nil,
		},
		{
			"a restart breaks the line",
			join(asProcess("1", sampled([2]int64{0, 1}, [2]int64{60, 2})), asProcess("2", sampled([2]int64{120, 3}, [2]int64{180, 4}))),
			[][]point{{{0, 1}, {1, 2}}, {{2, 3}, {3, 4}}},
			nil,
		},
		{
			"a restart that nobody measured at first",
			join(asProcess("1", sampled([2]int64{0, 1}, [2]int64{60, 2})), asProcess("2", sampled([2]int64{120, -1}, [2]int64{180, 4}, [2]int64{240, 5}))),
			[][]point{{{0, 1}, {1, 2}}, {{3, 4}, {4, 5}}},
			nil,
		},
		{
			"an unknown process is no restart",
			join(asProcess("1", sampled([2]int64{0, 1})), asProcess("-", sampled([2]int64{60, 2})), asProcess("1", sampled([2]int64{120, 3}))),
			[][]point{{{0, 1}, {1, 2}, {2, 3}}},
			nil,
		},
		{
			"time going back breaks the line",
			sampled([2]int64{120, 1}, [2]int64{180, 2}, [2]int64{0, 3}, [2]int64{60, 4}),
			[][]point{{{2, 1}, {3, 2}}, {{0, 3}, {1, 4}}},
			nil,
		},
		{
			"duplicates stand above each other",
			sampled([2]int64{0, 1}, [2]int64{0, 5}, [2]int64{0, 3}, [2]int64{60, 2}),
			[][]point{{{0, 1}, {0, 5}, {0, 3}, {1, 2}}},
			nil,
		},
		{
			"nothing but duplicates",
			sampled([2]int64{0, 3}, [2]int64{0, 5}, [2]int64{0, 1}),
			[][]point{{{0, 1}, {0, 5}}},
			[]point{{0, 1}, {0, 5}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := surveyLog(logOf("", tt.samples))
			got := makeTrace(&s, s.start, max(1, (s.end-s.start)/60), 400, memory)
			if !reflect.DeepEqual(got.lines, tt.lines) || !reflect.DeepEqual(got.dots, tt.dots) {
				t.Errorf("lines %v dots %v, want %v and %v", got.lines, got.dots, tt.lines, tt.dots)
			}
		})
	}
}

func TestSurvey(t *testing.T) {
	samples := sampled([2]int64{60, 5}, [2]int64{0, -1}, [2]int64{120, 9}, [2]int64{181, 2})
	for i, p := range []string{"1", "1", "-", "2"} {
		samples[i].Fields = []series.Field{{Key: "pid", Value: p}, {Key: "start", Value: "7"}}
	}
	samples = append(samples, samples[3])
	samples[4].Fields = []series.Field{{Key: "pid", Value: "2"}, {Key: "start", Value: "8"}} // a reused pid
	got := surveyLog(logOf("", samples))
	if got.start != epoch || got.end != epoch+181 || got.interval != (61+120)/2.0 || !slices.Equal(got.restarts, []int{3, 4}) {
		t.Errorf("start %v, end %v, interval %v, restarts %v", got.start-epoch, got.end-epoch, got.interval, got.restarts)
	}
	if want := (extent{low: 2, high: 9, least: 2, known: true}); got.figures[memory].extent != want {
		t.Errorf("memory %+v, want %+v", got.figures[memory].extent, want)
	}
}

// Two writers in one file: samples that go back and forth are sorted, and the
// log that was given stays as it was.
func TestSurveySortsInterleavedLogs(t *testing.T) {
	var samples []series.Sample
	for i := range int64(500) {
		samples = append(samples, sampled([2]int64{i, 1}, [2]int64{1000 + i, 2})...)
	}
	for i := range samples {
		samples[i].Fields = []series.Field{{Key: "pid", Value: "1"}}
	}
	log := logOf("", samples)
	s := surveyLog(log)
	tr := makeTrace(&s, s.start, (s.end-s.start)/60, 100, memory)
	if len(s.restarts) != 0 || len(s.processes) != 1 {
		t.Errorf("restarts %v, processes %v, want none and one", s.restarts, s.processes)
	}
	if len(tr.lines) != 2 || len(tr.dots) != 0 {
		t.Errorf("%d lines and %d dots, want 2 and none", len(tr.lines), len(tr.dots))
	}
	if log.time(1) != epoch+1000 {
		t.Error("the caller's log was sorted")
	}
}

// In every pixel column the lowest and the highest of a million samples are
// drawn, and few others.
func TestReductionKeepsExtremes(t *testing.T) {
	const n, columns = 1_000_000, 400
	random := rand.New(rand.NewPCG(3, 4))
	samples := make([]series.Sample, n)
	for i := range samples {
		samples[i] = series.Sample{Time: time.Unix(epoch+int64(i), 0), RSSKB: 1_000_000 + random.Int64N(1000)}
	}
	samples[700_001].RSSKB = 9_000_000 // for one second in eleven days
	samples[300_001].RSSKB = 5
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	log := logOf("", samples)
	if err := Draw(new(countingWriter), PNG, Config{Logs: []*Log{log}}); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if mb := (after.TotalAlloc - before.TotalAlloc) >> 20; mb > 50 {
		t.Errorf("a million samples took %d MB to keep and draw", mb)
	}
	s := surveyLog(log)
	minutes := (s.end - s.start) / 60
	tr := makeTrace(&s, s.start, minutes, columns, memory)
	checkExtremes(t, samples, tr, s.start, minutes, columns)
	if len(tr.lines) != 1 || len(tr.lines[0]) > 4*columns {
		t.Errorf("%d lines, the first of %d points", len(tr.lines), len(tr.lines[0]))
	}
}

// checkExtremes compares each column of a trace with the samples that fall
// into it.
func checkExtremes(t *testing.T, samples []series.Sample, tr trace, origin, minutes float64, columns int) {
	t.Helper()
	type span struct {
		low, high float64
		known     bool
	}
	want, got := make([]span, columns), make([]span, columns)
	column := func(x float64) int { return min(int(x*(float64(columns)/minutes)), columns-1) }
	add := func(spans []span, x, y float64) {
		s := &spans[column(x)]
		if !s.known {
			*s = span{y, y, true}
		}
		s.low, s.high = min(s.low, y), max(s.high, y)
	}
	for _, s := range samples {
		if s.RSSKB >= 0 {
			add(want, (seconds(s.Time)-origin)/60, float64(s.RSSKB))
		}
	}
	points := 0
	for _, line := range tr.lines {
		points += len(line)
		for i, p := range line {
			add(got, p.x, p.y)
			if i > 0 && p.x < line[i-1].x {
				t.Fatalf("a line goes back from %v to %v", line[i-1], p)
			}
		}
	}
	for _, p := range tr.dots {
		points++
		add(got, p.x, p.y)
	}
	for c, w := range want {
		if got[c] != w {
			t.Fatalf("column %d shows %v, the samples are %v", c, got[c], w)
		}
	}
	// Each break of time going back may open up every column once more.
	if most := (8*columns + 8) * (maxBackwards + 2); points > most {
		t.Fatalf("%d points drawn in %d columns", points, columns)
	}
}

// FuzzTrace: whatever order, gaps, restarts and unknown values a log has, the
// trace shows the extremes of each column and nothing that is not there.
func FuzzTrace(f *testing.F) {
	f.Add([]byte{0, 1, 0, 60, 2, 0, 60, 3, 0})
	f.Add([]byte{10, 1, 0, 250, 2, 0, 60, 255, 0, 1, 9, 1, 200, 7, 2})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 3000 {
			return
		}
		var samples []series.Sample
		second := int64(0)
		for ; len(data) >= 3; data = data[3:] {
			second += int64(int8(data[0])) * int64(1+data[2]>>4)
			s := series.Sample{Time: time.Unix(epoch+second, 0), RSSKB: int64(data[1]), Connections: series.Unknown}
			if data[1] == 255 {
				s.RSSKB = series.Unknown
			}
			if pid := data[2] & 3; pid > 0 {
				s.Fields = []series.Field{{Key: "pid", Value: strconv.Itoa(int(pid))}}
			}
			samples = append(samples, s)
		}
		if len(samples) == 0 {
			return
		}
		s := surveyLog(logOf("", samples))
		minutes := (s.end - s.start) / 60
		if minutes == 0 {
			minutes = 1
		}
		const columns = 50
		tr := makeTrace(&s, s.start, minutes, columns, memory)
		for _, line := range tr.lines {
			if len(line) < 2 {
				t.Fatalf("a line of %d points", len(line))
			}
			for _, p := range line {
				if math.IsNaN(p.x) || p.x < 0 || p.x > minutes*(1+1e-12) {
					t.Fatalf("point %v outside %v minutes", p, minutes)
				}
			}
		}
		checkExtremes(t, samples, tr, s.start, minutes, columns)
	})
}
