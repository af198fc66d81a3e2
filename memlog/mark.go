package memlog

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.org/comet/memlog/series"
)

// eventKey is the column that says what happened at a moment.
const eventKey = "event"

// Mark appends one line that says what happens now, event=text, to the log at
// path. A Log may be appending to it at the same time, in this process or
// another: each line is one write at the end of the file, so neither cuts into
// the other, and a last line that a crash has torn is completed first.
//
// The line is a sample too if it can be: when the processes of the log's last
// sample still run here, they are measured once more. Otherwise its memory is
// unknown, as its connections always are. (The article's awk takes "-" for 0
// and would draw a drop that never was.) The sample is returned.
//
// The log must exist: an event without a log is more likely a slip of the pen.
func Mark(path, text string) (series.Sample, error) {
	if strings.TrimSpace(text) == "" {
		return series.Sample{}, errors.New("memlog: an event needs a text")
	}
	tail, err := readTail(path)
	if err != nil {
		return series.Sample{}, fmt.Errorf("memlog: there is no log to mark: %w", err)
	}
	out, err := series.OpenAppend(path)
	if err != nil {
		return series.Sample{}, fmt.Errorf("memlog: %w", err)
	}
	defer out.Close()
	// As the lines before it, so that time does not seem to go back.
	out.Millis = slices.ContainsFunc(tail, func(s series.Sample) bool { return s.Time.Nanosecond() != 0 })
	s := series.Sample{Time: time.Now(), RSSKB: series.Unknown, Connections: series.Unknown}
	if usage, ok := again(tail); ok {
		s = usage.Sample()
	}
	s.Fields = append(s.Fields, series.Field{Key: eventKey, Value: text})
	if err := out.Write(s); err != nil {
		return series.Sample{}, fmt.Errorf("memlog: the event was not written: %w", err)
	}
	if err := out.Close(); err != nil {
		return series.Sample{}, fmt.Errorf("memlog: %w", err)
	}
	return s, nil
}

// tailLen is how much of a log's end is read, in bytes: some hundred lines.
const tailLen = 32 << 10

// readTail reads the last samples of the log at path.
func readTail(path string) ([]series.Sample, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", path)
	}
	// A line that is cut off at the front of the tail is malformed, or at worst
	// lacks its date.
	from := max(0, info.Size()-tailLen)
	samples, _, err := series.ReadAll(io.NewSectionReader(f, from, info.Size()-from), path)
	return samples, err
}

// again measures what the last sample of a log was taken of. It is not ok
// unless these are the same processes, as many of them: the log may come from
// another machine, or from before a restart.
func again(tail []series.Sample) (Usage, bool) {
	for _, last := range slices.Backward(tail) {
		if pid, ok := last.Field("pid"); ok {
			pids, ok := parsePIDs(pid)
			if !ok {
				return Usage{}, false
			}
			return sameAs(last, pids)
		}
		if _, ok := last.Field(eventKey); !ok {
			return Usage{}, false // the process has ended, or this is no log of ours
		}
	}
	return Usage{}, false
}

// sameAs measures pids with their descendants or, if those were left out in
// the log, without.
func sameAs(last series.Sample, pids []int32) (Usage, bool) {
	start, started := last.Number("start")
	procs, counted := last.Number("procs")
	_, pss := last.Field("pss_kb")
	if !started || !counted {
		return Usage{}, false
	}
	for _, alone := range []bool{false, true} {
		s, err := NewSampler(Config{PIDs: pids, NoChildren: alone, PSS: pss && pssSupported})
		if err != nil {
			return Usage{}, false
		}
		u, err := s.Take()
		// A clock that was set between the two moves the start.
		same := math.Abs(float64(u.Start.Unix())-start) <= 2
		if err == nil && same && u.Procs == int(procs) && slices.Equal(u.PIDs, pids) {
			return u, true
		}
	}
	return Usage{}, false
}

func parsePIDs(s string) ([]int32, bool) {
	var pids []int32
	for word := range strings.SplitSeq(s, ",") {
		pid, err := strconv.ParseInt(word, 10, 32)
		if err != nil || pid <= 0 {
			return nil, false
		}
		pids = append(pids, int32(pid))
	}
	return pids, true
}
