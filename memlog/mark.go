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

// eventKey names the column that says what happened at a moment.
const eventKey = "event"

// Mark appends one line with event=text to the log at path and returns it. A Log
// may append to it at the same time, in this process or another: each line is one
// write at the end of the file, and a last line that a crash has torn is completed
// first.
//
// If the processes of the log's last sample still run here, Mark measures them for
// the line. Otherwise its memory is unknown, as its connections always are. (The
// article's awk takes "-" for 0 and would draw a drop.)
//
// The log must exist: a path without a log is more likely a typing error.
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
	// As the lines before, so that time does not seem to step back.
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

// tailLen bounds how much of a log's end is read, in bytes: some hundred lines.
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
	// The first line of the tail may be cut: it is malformed, or lacks its date.
	from := max(0, info.Size()-tailLen)
	samples, _, err := series.ReadAll(io.NewSectionReader(f, from, info.Size()-from), path)
	return samples, err
}

// again measures the processes of a log's last sample once more. It returns false
// unless these are the same processes, and as many: the log may come from another
// machine, or from before a restart.
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
			return Usage{}, false // the process has ended, or another program wrote the log
		}
	}
	return Usage{}, false
}

// sameAs measures pids with their descendants or, if the log leaves those out,
// without.
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
		// Setting the clock between the two moves the start.
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
