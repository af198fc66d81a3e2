package probe

import (
	"io/fs"
	"strconv"
	"strings"

	"example.org/comet/cmd/internal/result"
)

// Processors is what all processors together have done since the machine
// started, in ticks. It includes what no process is charged for, such as the
// network's work in softirqs.
type Processors struct {
	All, Idle result.Figure
	Stolen    result.Figure // by other guests of the same host
}

// readProcessors reads the first line of /proc/stat: cpu user nice system idle
// iowait irq softirq steal guest guest_nice, of which user includes guest
// (proc_stat(5)).
func readProcessors(root fs.FS) Processors {
	line, _, _ := strings.Cut(text(root, "proc/stat"), "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return Processors{}
	}
	var all, idle, stolen int64
	for i, field := range fields[1:9] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return Processors{}
		}
		all += n
		switch i {
		case 3, 4:
			idle += n
		case 7:
			stolen += n
		}
	}
	return Processors{All: result.Of(all), Idle: result.Of(idle), Stolen: result.Of(stolen)}
}

// since returns the shares of the time since then in which the processors worked
// and were stolen; neither where no time has passed.
func (p Processors) since(then Processors) (busy, stolen result.Figure) {
	all := p.All.Minus(then.All)
	if ticks, _ := all.Value(); ticks <= 0 {
		return result.Figure{}, result.Figure{}
	}
	idle := p.Idle.Minus(then.Idle).Per(all)
	return result.Of(1).Minus(idle), p.Stolen.Minus(then.Stolen).Per(all)
}
