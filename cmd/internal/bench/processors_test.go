package bench

import (
	"fmt"
	"testing"
)

func TestParseProcessorTime(t *testing.T) {
	before := parseProcessorTime([]byte("cpu  10 0 20 100 0 0 5 2 7 0\ncpu0 1 2 3\n"))
	after := parseProcessorTime([]byte("cpu  40 10 40 110 5 5 10 22 9 0\ncpu0 1 2 3\n"))
	busy, stolen, known := after.since(before)
	// 105 ticks, 15 of them idle or waiting for a disk, 20 stolen.
	if got := fmt.Sprintf("%.4f %.4f %v", busy, stolen, known); got != "0.8571 0.1905 true" {
		t.Errorf("busy, stolen, known: %s", got)
	}
	for _, text := range []string{"", "cpu", "cpu 1 2 3", "cpu0 1 2 3 4 5 6 7 8", "cpu 1 2 3 4 5 6 7 x"} {
		if p := parseProcessorTime([]byte(text)); p != nil {
			t.Errorf("%q: %+v", text, p)
		}
	}
	for _, then := range []*processorTime{nil, after} {
		if _, _, known := after.since(then); known {
			t.Errorf("known since %+v", then)
		}
	}
	if _, _, known := (*processorTime)(nil).since(before); known {
		t.Error("known now, when nobody tells")
	}
}
