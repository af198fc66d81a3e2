package flood

import (
	"strconv"

	"example.org/comet/memlog/series"
)

// LogLine returns the sample as a line of flood's own log: connected=, closed=
// and chunks=, and p50_ms= and p99_ms= of the latency, "-" where no stamp came. Where
// connections come back, closed= is those that are gone now, and attempts= how often
// one was opened again since the run began.
func (s Sample) LogLine() series.Sample {
	p50, p99 := "-", "-"
	if s.Latency != nil {
		p50 = strconv.FormatFloat(s.Latency.P50, 'f', 3, 64)
		p99 = strconv.FormatFloat(s.Latency.P99, 'f', 3, 64)
	}
	line := series.Sample{
		Time:        s.Time,
		RSSKB:       series.Unknown,
		Connections: int64(s.Counts.Connected),
		Fields: []series.Field{
			{Key: "connected", Value: strconv.Itoa(s.Counts.Connected)},
			{Key: "closed", Value: strconv.FormatUint(s.Closed, 10)},
			{Key: "chunks", Value: strconv.FormatUint(s.Chunks, 10)},
			{Key: "p50_ms", Value: p50},
			{Key: "p99_ms", Value: p99},
		},
	}
	if s.Returns {
		line.Fields = append(line.Fields, series.Field{Key: "attempts", Value: strconv.FormatUint(s.Reconnect.Attempts, 10)})
	}
	return line
}
