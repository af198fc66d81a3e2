package plots

import (
	"bytes"
	"image/png"
	"strings"
	"testing"
	"time"

	"example.org/comet/memlog/series"
)

// steady returns a log of memory that hardly changes, a line each second.
func steady(t *testing.T, lines int) *Log {
	t.Helper()
	l := &Log{Name: "mem.log"}
	for i := range lines {
		l.Add(series.Sample{Time: time.Unix(1_000_000+int64(i), 0), RSSKB: int64(20_000 + i), Connections: 10})
	}
	return l
}

func TestPlainPicture(t *testing.T) {
	cfg := Config{Logs: []*Log{steady(t, 61)}, Plain: true, Phases: []Band{
		{"before", 999_000, 999_001}, {"start", 999_990, 1_000_003}, {"connect", 1_000_003, 1_000_010}, {"never", 2_000_000, 2_000_001},
	}}
	p, err := newPicture(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if y := p.panels[0].yAxis(6); y.low != 0 || y.ticks[0].label != "0" {
		t.Errorf("the y axis is %+v; want it from zero", y)
	}
	x := p.xAxis(400)
	last := x.ticks[len(x.ticks)-1]
	if x.label != "Seconds Elapsed" || last.label != "60" || last.value != 1 {
		t.Errorf("the x axis is %+v; want seconds", x)
	}
	if len(p.marks) != 2 || p.marks[0].text != "start" || p.marks[0].minute != 0 || p.marks[1].text != "connect" || p.marks[1].minute != 0.05 {
		t.Errorf("the marks are %+v; want the two phases that are seen", p.marks)
	}
	var out bytes.Buffer
	if err := Draw(&out, PNG, cfg); err != nil {
		t.Fatal(err)
	}
	if img, err := png.Decode(&out); err != nil || img.Bounds().Dx() != 2*DefaultWidth || img.Bounds().Dy() != 2*DefaultHeight {
		t.Errorf("%v, %v; want two pixels for each", img.Bounds(), err)
	}
	// Ten minutes are minutes, and without Plain all is as in the article.
	cfg.Logs = []*Log{steady(t, 601)}
	if p, err = newPicture(cfg); err != nil || p.xAxis(400).label != "Minutes Elapsed" {
		t.Errorf("%v, the x axis is %+v", err, p.xAxis(400))
	}
	cfg.Plain, cfg.Phases = false, nil
	if p, err = newPicture(cfg); err != nil || p.panels[0].yAxis(6).low == 0 || len(p.marks) > 0 {
		t.Errorf("%v, %+v", err, p.panels[0].yAxis(6))
	}
	// Which says that its axis does not begin at zero; one that does says nothing.
	for plain, says := range map[bool]bool{false: true, true: false} {
		out.Reset()
		cfg.Plain = plain
		if err := Draw(&out, SVG, cfg); err != nil || !strings.Contains(out.String(), "<svg") || strings.Contains(out.String(), ">Mem (KB), not from 0<") != says {
			t.Errorf("plain %v: %v, want an axis that says it does not begin at 0: %v", plain, err, says)
		}
	}
}

func TestSecondsAxis(t *testing.T) {
	for minutes, want := range map[float64]string{1. / 6000: "0.010", 1. / 60: "1.0", 0.5: "30", 5: "300"} {
		a := secondsAxis(minutes, func(labels []tick) bool { return len(labels) <= 8 })
		last := a.ticks[len(a.ticks)-1]
		if last.label != want || a.ticks[0].label[0] != '0' || a.high != minutes {
			t.Errorf("%v minutes end at %q, want %q: %+v", minutes, last.label, want, a.ticks)
		}
	}
}
