package plots

import (
	"fmt"
	"math"
	"time"
)

// An axis of time counts in minutes from 0 to the last sample exactly. Its step
// is the smallest whose labels all fit, as a function decides.
type fitting func(labels []tick) bool

const (
	// fewMinutes are better counted in seconds.
	fewMinutes = 5
	// manyMinutes: beyond, hours and minutes read better than minutes.
	manyMinutes = 240
)

// Natural steps, in minutes; between seconds and days. Below and above, nice
// steps take over.
var (
	minuteSteps = []float64{1, 2, 5, 10, 20, 30, 60, 120, 240, 480, 720}
	clockSteps  = []float64{
		1. / 60, 2. / 60, 5. / 60, 10. / 60, 15. / 60, 30. / 60,
		1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360, 480, 720,
	}
)

const minutesPerDay = 24 * 60

// elapsedAxis writes the time since the first sample; minutes must be above 0.
// As in the article it is in minutes, and if these are many and asMinutes does
// not want it so, in hours and minutes or in days.
func elapsedAxis(minutes float64, asMinutes bool, fits fitting) axis {
	// Begin with few enough marks; what does not fit is thinned out.
	for step := minuteStep(minutes / 12); ; step = minuteStep(step * 1.01) {
		a := axis{high: minutes, label: "Minutes Elapsed"}
		write := func(v float64) string { return decimal(v, step) }
		switch {
		case asMinutes || minutes <= manyMinutes:
		case step < minutesPerDay:
			a.label = "Time Elapsed (h:mm)"
			write = func(v float64) string { return fmt.Sprintf("%d:%02d", int(v)/60, int(v)%60) }
		default:
			a.label = "Days Elapsed"
			write = func(v float64) string { return decimal(v/minutesPerDay, 1) }
		}
		// The last mark may lie on the end, whatever rounding says.
		for i := 0; float64(i)*step <= minutes*(1+1e-9); i++ {
			v := float64(i) * step
			a.ticks = append(a.ticks, tick{min(v, minutes), write(v)})
		}
		if len(a.ticks) <= 2 || fits(a.ticks) {
			return a
		}
	}
}

// secondsAxis writes the time since the first sample in seconds; minutes must be
// above 0.
func secondsAxis(minutes float64, fits fitting) axis {
	const second = 1. / 60
	for step := nice(minutes / second / 12); ; step = nice(step * 1.01) {
		a := axis{high: minutes, label: "Seconds Elapsed"}
		for i := 0; float64(i)*step*second <= minutes*(1+1e-9); i++ {
			v := float64(i) * step
			a.ticks = append(a.ticks, tick{min(v*second, minutes), decimal(v, step)})
		}
		if len(a.ticks) <= 2 || fits(a.ticks) {
			return a
		}
	}
}

// minuteStep returns the smallest natural step of at least v minutes.
func minuteStep(v float64) float64 {
	if v <= 0.5 {
		return nice(v)
	}
	return naturalStep(minuteSteps, v)
}

func naturalStep(steps []float64, v float64) float64 {
	for _, s := range steps {
		if s >= v*(1-1e-9) {
			return s
		}
	}
	return minutesPerDay * max(1, nice(v/minutesPerDay))
}

// clockAxis writes the time of day, at round ones in the zone of origin, which
// is minute 0. A midnight is written as the day that it begins.
func clockAxis(origin time.Time, minutes float64, fits fitting) axis {
	// Not as a time.Duration, which ends after 292 years; a log need not.
	last := time.Unix(origin.Unix()+int64(minutes*60), 0).In(origin.Location())
	for step := naturalStep(clockSteps, minutes/12); ; step = naturalStep(clockSteps, step*1.01) {
		a := axis{high: minutes, label: clockLabel(origin, last)}
		for at := firstRound(origin, step); ; at = nextRound(at, step) {
			v := (seconds(at) - seconds(origin)) / 60
			if v > minutes*(1+1e-9) {
				break
			}
			a.ticks = append(a.ticks, tick{min(v, minutes), clockText(at, step)})
		}
		if len(a.ticks) <= 2 || fits(a.ticks) {
			return a
		}
	}
}

// firstRound returns the first moment from t on that a step divides, counted from
// midnight, or of whole days from t's own.
func firstRound(t time.Time, step float64) time.Time {
	midnight := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, t.Location())
	if step >= minutesPerDay {
		if midnight.Before(t) {
			return midnight.AddDate(0, 0, 1)
		}
		return midnight
	}
	whole := time.Duration(math.Round(step * float64(time.Minute)))
	since := t.Sub(midnight)
	return midnight.Add((since + whole - 1) / whole * whole)
}

func nextRound(t time.Time, step float64) time.Time {
	if step >= minutesPerDay {
		return t.AddDate(0, 0, int(step/minutesPerDay))
	}
	return t.Add(time.Duration(math.Round(step * float64(time.Minute))))
}

func clockText(t time.Time, step float64) string {
	switch {
	case step >= 50*minutesPerDay:
		return t.Format("Jan 2006")
	case step >= minutesPerDay, t.Hour() == 0 && t.Minute() == 0 && t.Second() == 0:
		return t.Format("Jan 2")
	case step < 1:
		return t.Format("15:04:05")
	}
	return t.Format("15:04")
}

// clockLabel returns the days and the zone of the times.
func clockLabel(from, to time.Time) string {
	const day, year = "Jan 2", "Jan 2 2006"
	zone := " (" + oneLine(from.Format("MST")) + ")"
	switch {
	case from.Format(year) == to.Format(year):
		return from.Format("Mon "+year) + zone
	case from.Year() == to.Year():
		return from.Format(day) + " – " + to.Format(year) + zone
	}
	return from.Format(year) + " – " + to.Format(year) + zone
}
