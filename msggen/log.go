package msggen

import (
	"strconv"
	"time"

	"example.org/comet/memlog/series"
)

// Sample returns s as a line of a log, taken at now. Its sent are the messages
// on the wire: a comet server says only now and then what it accepted. recent is
// the lateness since the line before, from [Generator.Recent].
func (s Stats) Sample(now time.Time, recent *Lateness) series.Sample {
	line := series.Sample{Time: now, RSSKB: series.Unknown, Connections: series.Unknown}
	add := func(key, value string) { line.Fields = append(line.Fields, series.Field{Key: key, Value: value}) }
	add("asked", strconv.FormatUint(s.Asked, 10))
	add("sent", strconv.FormatUint(s.Sent+s.Unanswered, 10))
	add("refused", strconv.FormatUint(s.Refused, 10))
	p50, p99 := "-", "-"
	if recent != nil {
		p50 = strconv.FormatFloat(recent.P50, 'f', 3, 64)
		p99 = strconv.FormatFloat(recent.P99, 'f', 3, 64)
	}
	add("late_p50_ms", p50)
	add("late_p99_ms", p99)
	return line
}
