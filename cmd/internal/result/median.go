package result

import (
	"cmp"
	"maps"
	"math"
	"reflect"
	"slices"
)

// Median returns the median of each figure over several runs: the middle one of
// those that were measured, or the mean of the middle two. Limits, lost
// processes and suspensions are those of all runs, the rest is the first run's.
// Targets are left to the caller: each run has its own.
func Median(runs ...*Result) *Result {
	if len(runs) == 0 {
		return &Result{}
	}
	m := *runs[0]
	m.Settings, m.Targets = maps.Clone(m.Settings), nil
	all := make([]reflect.Value, len(runs))
	for i, r := range runs {
		all[i] = reflect.ValueOf(r).Elem()
		m.Interrupted, m.InterruptedBy = m.Interrupted || r.Interrupted, cmp.Or(m.InterruptedBy, r.InterruptedBy)
		for _, note := range r.Notes {
			if !slices.Contains(m.Notes, note) {
				m.Notes = append(slices.Clip(m.Notes), note)
			}
		}
		if i > 0 {
			m.Processes.Lost = append(slices.Clip(m.Processes.Lost), r.Processes.Lost...)
			m.Suspended = append(slices.Clip(m.Suspended), r.Suspended...)
		}
		for _, limit := range r.LimitedBy {
			if !slices.ContainsFunc(m.LimitedBy, func(l Limit) bool { return l.Part == limit.Part }) {
				m.LimitedBy = append(slices.Clip(m.LimitedBy), limit)
			}
		}
	}
	if len(runs) > 1 {
		m.Histograms = Histograms{} // each run has its own
		m.Messages.DroppedBy = medianParts(runs, func(r *Result) (Figure, map[string]Figure) { return r.Messages.Dropped, r.Messages.DroppedBy })
		m.Memory.Slabs = medianParts(runs, func(r *Result) (Figure, map[string]Figure) {
			return r.Memory.KernelBytesPerConnection, r.Memory.Slabs
		})
	}
	setMedians(reflect.ValueOf(&m).Elem(), all)
	return &m
}

// Nearest returns which of several runs comes nearest to their medians, -1 if there is
// none: by the sum over the figures that a comparison judges of how far it is from the
// median, as a share of how far the runs are apart. One that stopped early is taken only
// if all did.
func Nearest(runs ...*Result) (nearest int) {
	median := Median(runs...)
	whole := slices.ContainsFunc(runs, func(r *Result) bool { return !r.Interrupted })
	nearest, least := -1, math.Inf(1)
	for i, r := range runs {
		if whole && r.Interrupted {
			continue
		}
		if d := r.distance(median, runs); d < least {
			nearest, least = i, d
		}
	}
	return nearest
}

// distance returns how far r is from the median of all. A figure that r alone lacks is as
// far away as can be.
func (r *Result) distance(median *Result, all []*Result) (sum float64) {
	for _, key := range alwaysJudged {
		m, _ := Lookup(key)
		values := sampleOf(m, Runs{Results: all})
		width, known := values.Most.Minus(values.Least).Value()
		if !known || width == 0 {
			continue
		}
		off, known := m.Of(r).Minus(m.Of(median)).Value()
		if !known {
			off = width
		}
		sum += math.Abs(off) / width
	}
	return sum
}

// medianParts returns the median of each part of a sum. A run that measured the sum and
// does not name a part has none of it.
func medianParts(runs []*Result, of func(*Result) (sum Figure, parts map[string]Figure)) map[string]Figure {
	medians := make(map[string]Figure)
	for _, r := range runs {
		_, parts := of(r)
		maps.Copy(medians, parts)
	}
	for name := range medians {
		var values []float64
		for _, r := range runs {
			sum, parts := of(r)
			if _, measured := sum.Value(); measured {
				part, _ := parts[name].Value()
				values = append(values, part)
			}
		}
		medians[name] = medianOf(values)
	}
	maps.DeleteFunc(medians, func(_ string, m Figure) bool { return m == Of(0) })
	return medians
}

// setMedians walks the structs of a Result; all have the shape of dst.
func setMedians(dst reflect.Value, all []reflect.Value) {
	if dst.Type() == reflect.TypeFor[Figure]() {
		var values []float64
		for _, v := range all {
			if x, ok := v.Interface().(Figure).Value(); ok {
				values = append(values, x)
			}
		}
		dst.Set(reflect.ValueOf(medianOf(values)))
		return
	}
	switch dst.Kind() {
	case reflect.Struct:
		for i := range dst.NumField() {
			if dst.Type().Field(i).IsExported() {
				setMedians(dst.Field(i), fields(all, i))
			}
		}
	case reflect.Pointer:
		all = slices.DeleteFunc(slices.Clone(all), reflect.Value.IsNil) // these did not measure
		if len(all) == 0 || dst.Type() == reflect.TypeFor[*Environment]() {
			return
		}
		dst.Set(reflect.New(dst.Type().Elem())) // not the first run's own
		setMedians(dst.Elem(), elems(all))
	}
}

func fields(all []reflect.Value, i int) []reflect.Value {
	of := make([]reflect.Value, len(all))
	for k, v := range all {
		of[k] = v.Field(i)
	}
	return of
}

func elems(all []reflect.Value) []reflect.Value {
	of := make([]reflect.Value, len(all))
	for k, v := range all {
		of[k] = v.Elem()
	}
	return of
}

func medianOf(values []float64) Figure {
	if len(values) == 0 {
		return Figure{}
	}
	slices.Sort(values)
	middle := len(values) / 2
	if len(values)%2 == 1 {
		return Of(values[middle])
	}
	return Of((values[middle-1] + values[middle]) / 2)
}
