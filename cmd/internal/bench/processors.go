package bench

import (
	"bytes"
	"os"
	"strconv"
)

// processorTime is what all processors together have done since the machine
// started, in ticks. It has what no process is
// charged for, such as the network's work in softirqs.
type processorTime struct {
	all, idle, stolen int64 // stolen: by other guests of the same host
}

// readProcessorTime reads the first line of /proc/stat: cpu user nice system idle
// iowait irq softirq steal guest guest_nice, of which user has guest already
// (proc_stat(5)).
func readProcessorTime() *processorTime {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return nil
	}
	return parseProcessorTime(text)
}

func parseProcessorTime(text []byte) *processorTime {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	fields := bytes.Fields(line)
	if len(fields) < 9 || string(fields[0]) != "cpu" {
		return nil
	}
	p := new(processorTime)
	for i, field := range fields[1:9] {
		n, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return nil
		}
		p.all += n
		switch i {
		case 3, 4:
			p.idle += n
		case 7:
			p.stolen += n
		}
	}
	return p
}

// since is what share of the time since then the processors were busy, and were
// away with other guests; known is false where nobody tells.
func (p *processorTime) since(then *processorTime) (busy, stolen float64, known bool) {
	if p == nil || then == nil || p.all <= then.all {
		return 0, 0, false
	}
	all := float64(p.all - then.all)
	return 1 - float64(p.idle-then.idle)/all, float64(p.stolen-then.stolen) / all, true
}
