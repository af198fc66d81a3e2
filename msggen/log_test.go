package msggen

import (
	"strings"
	"testing"
	"time"

	"example.org/comet/memlog/series"
)

func TestSample(t *testing.T) {
	stats := Stats{Asked: 10, Receipt: Receipt{Sent: 5, Refused: 2, Unanswered: 3}}
	for recent, want := range map[*Lateness]string{
		nil:                     "asked=10 sent=8 refused=2 late_p50_ms=- late_p99_ms=-",
		{P50: 0.0625, P99: 1.5}: "asked=10 sent=8 refused=2 late_p50_ms=0.062 late_p99_ms=1.500",
	} {
		var written strings.Builder
		if err := series.NewWriter(&written).Write(stats.Sample(time.Unix(1700000000, 0), recent)); err != nil {
			t.Fatal(err)
		}
		columns := strings.Split(strings.TrimSpace(written.String()), "\t")
		if got := strings.Join(columns[4:], " "); columns[1] != "1700000000" || columns[2] != "-" || columns[3] != "-" || got != want {
			t.Errorf("the line is %q, want %q at its end", written.String(), want)
		}
	}
}
