package result

import (
	"math"
	"strconv"
	"strings"
)

// Unit is what a figure counts.
type Unit int

// The units of a result.
const (
	UnitCount Unit = iota
	UnitPerSecond
	UnitBytes
	UnitSeconds
	UnitMillis
	UnitMicros
	UnitShare // from 0 to 1, written in percent
	UnitCores
)

// NotMeasured stands for a figure that was not measured.
const NotMeasured = "-"

// Format writes f for people: the number and its unit, to be aligned in two
// columns. Bytes become KiB, MiB or GiB where there are many. A number is never
// written with an exponent.
func (f Figure) Format(unit Unit) (number, in string) {
	if !f.measured {
		return NotMeasured, ""
	}
	switch unit {
	case UnitCount:
		return group(f.value), ""
	case UnitPerSecond:
		return significant(f.value), "/s"
	case UnitBytes:
		return formatBytes(f.value)
	case UnitSeconds:
		return significant(f.value), "s"
	case UnitMillis:
		return significant(f.value), "ms"
	case UnitMicros:
		return significant(f.value), "µs"
	case UnitShare:
		return significant(f.value * 100), "%"
	}
	return significant(f.value), "cores"
}

// Text writes f for a sentence: 0.760 ms, 1,000/s, 15,000; a dash if it was not
// measured.
func (f Figure) Text(unit Unit) string { return joined(f.Format(unit)) }

// joined writes a number with its unit.
func joined(number, in string) string {
	if in == "" || in == "/s" {
		return number + in
	}
	return number + " " + in
}

// formatBytes keeps single bytes up to 10,000 of them, as what a connection
// costs is compared to the byte.
func formatBytes(n float64) (number, in string) {
	if math.Abs(n) < 10_000 {
		return group(n), "B"
	}
	const nearlyNext = 1023.95 // would be written as 1024.0
	in = "KiB"
	n /= 1024
	for _, next := range []string{"MiB", "GiB", "TiB", "PiB", "EiB"} {
		if math.Abs(n) < nearlyNext {
			break
		}
		n /= 1024
		in = next
	}
	if math.Abs(n) >= nearlyNext {
		return group(n), in
	}
	return strconv.FormatFloat(n, 'f', 1, 64), in
}

// significant writes three significant digits, and all of a large number.
func significant(n float64) string {
	a := math.Abs(n)
	for decimals, least := range []float64{99.95, 9.995, 0.9995} {
		if a >= least {
			return decimal(n, decimals)
		}
	}
	switch {
	case a == 0:
		return "0"
	case a >= 0.0005:
		return decimal(n, 3)
	case a >= 0.0000005:
		return strings.TrimRight(decimal(n, 6), "0")
	}
	return "<0.000001"
}

func decimal(n float64, decimals int) string {
	if decimals == 0 {
		return group(n)
	}
	return strconv.FormatFloat(n, 'f', decimals, 64)
}

// group writes a whole number with commas: 15,000. Beyond what a float64 counts
// exactly there is nothing to write out.
func group(n float64) string {
	const most = 1 << 53
	switch {
	case n > most:
		return "over " + group(most)
	case n < -most:
		return "under " + group(-most)
	}
	digits := strconv.FormatFloat(math.Abs(n), 'f', 0, 64)
	var b strings.Builder
	if n < 0 && digits != "0" {
		b.WriteByte('-')
	}
	for i, c := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// plain writes a number for programs: all its digits and never an exponent,
// which shell scripts cannot compare.
func plain(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }
