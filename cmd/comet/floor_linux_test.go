//go:build system

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// floorRow is one thing that is measured of each contender.
type floorRow struct {
	name, what  string
	connections int
	ids         int    // that they share
	rate        string // of msggen
	lines       bool   // by the line intake, which the floor does not have
	calls       bool   // counts system calls instead of time
}

// floorRows returns all rows, in the order in which they run. Neighbours with the
// same connections use the same processes.
func floorRows(connections, fanout int) []floorRow {
	const requests, lines = "one HTTP request per message", "line intake"
	return []floorRow{
		{name: "http", what: requests, connections: connections, ids: connections, rate: "1000"},
		{name: "http-max", what: requests, connections: connections, ids: connections, rate: "max"},
		{name: "line", what: lines, connections: connections, ids: connections, rate: "1000", lines: true},
		{name: "line-max", what: lines, connections: connections, ids: connections, rate: "max", lines: true},
		{name: "http-calls", what: "system calls, " + requests, connections: connections, ids: connections, rate: "1000", calls: true},
		{name: "line-calls", what: "system calls, " + lines, connections: connections, ids: connections, rate: "1000", lines: true, calls: true},
		{name: "fanout", what: "one id, " + requests, connections: fanout, ids: 1, rate: "max"},
	}
}

// floorSettings are read from the environment; see the Makefile.
type floorSettings struct {
	binaries []string
	clients  string // whose flood and msggen all use; "" for each binary's own
	rows     []floorRow
	seconds  time.Duration
	repeats  int
}

func readFloorSettings(t *testing.T) (s floorSettings) {
	t.Helper()
	number := func(name string, or int) int {
		n, err := strconv.Atoi(floorSetting(name, strconv.Itoa(or)))
		if err != nil || n < 1 {
			t.Fatalf("COMET_FLOOR_%s is %q: it must be a whole number from 1", name, os.Getenv("COMET_FLOOR_"+name))
		}
		return n
	}
	s.seconds = time.Duration(number("SECONDS", 5)) * time.Second
	s.repeats = number("REPEATS", 3)
	s.clients = floorSetting("CLIENTS", "")
	s.binaries = strings.Split(floorSetting("BINARIES", "comet"), ",")
	all := floorRows(number("CONNECTIONS", 15_000), number("FANOUT", 10_000))
	s.rows = all
	if names := floorSetting("ROWS", ""); names != "" {
		s.rows = nil
		for name := range strings.SplitSeq(names, ",") {
			i := slices.IndexFunc(all, func(r floorRow) bool { return r.name == name })
			if i < 0 {
				t.Fatalf("COMET_FLOOR_ROWS has %q: the rows are http, http-max, line, line-max, http-calls, line-calls and fanout", name)
			}
			s.rows = append(s.rows, all[i])
		}
	}
	return s
}

func floorSetting(name, or string) string {
	if value := os.Getenv("COMET_FLOOR_" + name); value != "" {
		return value
	}
	return or
}

// TestFloor measures comet against the floor, and any binaries of comet against
// each other: in turn, on the same machine, with everything connected all the
// while. `make floor` runs it.
func TestFloor(t *testing.T) {
	gcc := need(t, "gcc")
	s := readFloorSettings(t)
	floor := filepath.Join(t.TempDir(), "floor")
	run(t, gcc, "-O2", "-Wall", "-Wextra", "-Werror", "-o", floor, "../../server/testdata/floor/floor.c")
	for len(s.rows) > 0 {
		n := 1
		for n < len(s.rows) && s.rows[n].connections == s.rows[0].connections && s.rows[n].ids == s.rows[0].ids {
			n++
		}
		rows := s.rows[:n]
		s.rows = s.rows[n:]
		t.Run(rows[0].name, func(t *testing.T) {
			contenders := startContenders(t, s, floor, rows[0])
			for _, row := range rows {
				if row.calls {
					need(t, "strace")
				}
				printFloor(row, s, measureFloor(t, row, s, contenders))
			}
		})
	}
}

// floorResult is what the repeats of a row found for one contender.
type floorResult struct {
	name string
	runs []floorFigures
}

// floorFigures are a contender's in one run: per delivered message, the CPU time
// in microseconds, or how many system calls.
type floorFigures struct {
	delivered             float64 // per second
	server, flood, msggen float64
	detail                string // which system calls the server made
}

// measureFloor lets the contenders take turns, so that what the machine does meanwhile
// meets them all, and there and back: whoever follows another finds the processors
// awake, and took some 10 % less in each comparison of a binary with itself.
func measureFloor(t *testing.T, row floorRow, s floorSettings, contenders []*contender) (results []*floorResult) {
	t.Helper()
	if row.lines {
		contenders = slices.DeleteFunc(slices.Clone(contenders), func(c *contender) bool { return !c.lines })
	}
	order := make([]int, len(contenders))
	for i, c := range contenders {
		order[i] = i
		results = append(results, &floorResult{name: c.name})
	}
	for range s.repeats {
		for _, i := range order {
			results[i].runs = append(results[i].runs, contenders[i].measure(t, row, s.seconds))
		}
		slices.Reverse(order)
	}
	return results
}

// printFloor prints a row as a table: medians, the range of the repeats, and how
// that compares with the first contender.
func printFloor(row floorRow, s floorSettings, results []*floorResult) {
	rate := row.rate + "/s"
	if row.rate == "max" {
		rate = "flat out"
	}
	fmt.Printf("\n%s: %s, %s, %d connections (median of %d, %v each)\n", row.name, row.what, rate, row.connections, s.repeats, s.seconds)
	unit := "µs/message"
	if row.calls {
		unit = "calls/message"
	}
	figures := []struct {
		name string
		of   func(floorFigures) float64
	}{
		{"delivered/s", func(f floorFigures) float64 { return f.delivered }},
		{"server " + unit, func(f floorFigures) float64 { return f.server }},
		{"flood " + unit, func(f floorFigures) float64 { return f.flood }},
		{"msggen " + unit, func(f floorFigures) float64 { return f.msggen }},
	}
	fmt.Printf("%-22s", "")
	for _, r := range results {
		fmt.Printf("  %-34s", r.name)
	}
	for _, figure := range figures {
		fmt.Printf("\n%-22s", figure.name)
		var first float64
		for i, r := range results {
			low, median, high := spread(r.runs, figure.of)
			cell := fmt.Sprintf("%.*f (%.*f-%.*f)", digits(median), median, digits(median), low, digits(median), high)
			if i == 0 {
				first = median
			} else if first > 0 {
				cell += fmt.Sprintf(" x%.2f", median/first)
			}
			fmt.Printf("  %-34s", cell)
		}
	}
	fmt.Println()
	for _, r := range results {
		if detail := r.runs[len(r.runs)-1].detail; detail != "" {
			fmt.Printf("%s, server: %s\n", r.name, detail)
		}
	}
}

func digits(x float64) int {
	if x < 1000 {
		return 1
	}
	return 0
}

// spread returns the least, the median and the largest of a figure.
func spread(runs []floorFigures, of func(floorFigures) float64) (low, median, high float64) {
	var all []float64
	for _, f := range runs {
		all = append(all, of(f))
	}
	slices.Sort(all)
	n := len(all)
	return all[0], (all[(n-1)/2] + all[n/2]) / 2, all[n-1]
}
