package sysctl

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strconv"
)

// Limit judges one limit.
type Limit struct {
	// Setting is its name: a sysctl, or what people call it.
	Setting string
	// What is a short clause that says what it limits.
	What string
	// Now and Needed are its values, for a table.
	Now, Needed string
	// NowValue and NeededValue are the same as numbers: bytes where the text
	// says MiB, and of a setting with several numbers the one that counts.
	NowValue, NeededValue Value
	// Why is a clause that compares the two.
	Why string
	// Mend says how to lift the limit; "" unless Short.
	Mend string
	// Set is what [Machine.Apply] and [Conf] write to lift it; empty unless
	// Short, and where no setting lifts it.
	Set []Assignment
	// Short says that the limit is too low for the need.
	Short bool
	// Hard says that a short limit makes the run fail, not merely slower.
	Hard bool
	// MaxConnections counts the connections that the limit allows in all;
	// math.MaxInt where it does not bound them.
	MaxConnections int
}

// Assignment is a value for a setting: a sysctl by its dotted name, or
// [SoftOpenFiles] and [HardOpenFiles] of a process.
type Assignment struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Check judges every limit that is known in s, the hard ones first, for a
// program that raises its soft limit on open files itself. It is a pure
// function.
func Check(n Need, s System) []Limit {
	return judge(n, s, openFiles, allFiles, epollWatches, ports, memory, cgroup, pids, conntrack, backlog, synBacklog, tcpMem, cgroupHigh)
}

// Examine judges as Check does, for a person who looks for the limit: it lists
// the three limits on the files of one process, and takes the soft one as it is.
func Examine(n Need, s System) []Limit {
	return judge(n, s, softFiles, hardFiles, nrOpen, allFiles, epollWatches, ports, backlog, synBacklog, conntrack,
		memory, tcpMem, cgroup, cgroupHigh, pids)
}

// CheckSelf raises this process's soft limit on open files as far as it may, as
// [RaiseOpenFiles] does, and returns the [Refusal] of n: nil if no limit known
// here makes it fail. What could not be raised or read is logged as a warning.
func CheckSelf(n Need, log *slog.Logger) error {
	if _, _, err := RaiseOpenFiles(); err != nil {
		log.Warn("the limit on open files stays as it is", "error", err)
	}
	s, err := Read()
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		log.Warn("some limits of this system are unknown", "error", err)
	}
	return Refusal(n, Check(n, s))
}

func judge(n Need, s System, judges ...func(Need, System) (Limit, bool)) []Limit {
	n.SourceAddresses = max(n.SourceAddresses, 1)
	n.Destinations = max(n.Destinations, 1)
	n.Processes = max(n.Processes, 1)
	var limits []Limit
	for _, judge := range judges {
		if l, ok := judge(n, s); ok {
			if !l.Short {
				l.Mend, l.Set = "", nil
			}
			limits = append(limits, l)
		}
	}
	return limits
}

// limit fills in the fields that follow from the three numbers.
func limit(setting string, n Need, now, needed, allows Value) Limit {
	return Limit{
		Setting:        setting,
		Now:            now.String(),
		Needed:         needed.String(),
		NowValue:       now,
		NeededValue:    needed,
		Short:          Value(n.Connections) > allows,
		MaxConnections: int(min(max(allows, 0), math.MaxInt)),
	}
}

// headroom returns what to set a count to that all programs share, so that it
// is not short again soon.
func headroom(needed Value) Value { return plus(needed, needed/4) }

// assign makes setting one number the remedy.
func (l *Limit) assign(v Value) {
	l.Set = []Assignment{{l.Setting, strconv.FormatInt(int64(v), 10)}}
	l.Mend = fmt.Sprintf("raise it with `sudo sysctl -w %s=%d`", l.Setting, v)
}

func pick(s System, linux, darwin string) string {
	if s.OS == "darwin" {
		return darwin
	}
	return linux
}

func plural(n Value, one, many string) string {
	if n == 1 {
		return n.String() + " " + one
	}
	return n.String() + " " + many
}
