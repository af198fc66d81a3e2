package plots

import (
	"cmp"

	"example.org/comet/memlog/series"
)

// process identifies what a sample was taken of; a changed one is a restart.
// "" is unknown.
type process struct{ pid, start string }

// processRun is the row from which on the samples are of one process.
type processRun struct {
	row int
	process
}

func processOf(s series.Sample) (p process) {
	for _, f := range s.Fields {
		switch f.Key {
		case "pid":
			p.pid = f.Value
		case "start":
			p.start = f.Value
		}
	}
	if p.pid == "-" {
		p.pid = ""
	}
	if p.start == "-" {
		p.start = ""
	}
	return p
}

// follow takes the process of the next sample and reports whether it is another
// one. What the sample does not name stays as it was.
func (p *process) follow(next process) (restarted bool) {
	restarted = p.pid != "" && next.pid != "" && p.pid != next.pid ||
		p.start != "" && next.start != "" && p.start != next.start
	p.pid, p.start = cmp.Or(next.pid, p.pid), cmp.Or(next.start, p.start)
	return restarted
}

// restarts returns the rows at which another process begins.
func (l *Log) restarts() (rows []int) {
	var who process
	for _, run := range l.processes {
		if who.follow(run.process) {
			rows = append(rows, run.row)
		}
	}
	return rows
}
