package result

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"example.org/comet/sysctl"
)

// section is a part of the table.
type section struct {
	Title string
	Rows  []row
}

// row is one figure, ready to be read.
type row struct {
	Label, Number, Unit string
}

func rowOf(label string, f Figure, unit Unit) row {
	number, in := f.Format(unit)
	return row{label, number, in}
}

// sectionTitles are the sections in the order of the table.
var sectionTitles = []string{
	sectionConnections, sectionReconnect, sectionStreams, sectionMemory, sectionMessages, sectionLatency, sectionFanOut, sectionService, sectionCPU, sectionProcesses,
}

// sections returns the table that people get, as text and as HTML alike. A
// section in which nothing was measured is left out, and in a run that was
// interrupted every figure that was not.
func (r *Result) sections() []section {
	var list []section
	if rows := r.targetRows(); len(rows) > 0 && r.held() != "" {
		list = append(list, section{sectionTargets, rows})
	}
	for _, title := range sectionTitles {
		s, measured := section{Title: title}, title == sectionProcesses && r.held() != ""
		for _, m := range catalogue {
			if m.Section != title || m.Presence == Hidden || m.Presence == Ended && !r.completed() {
				continue
			}
			f := m.Of(r)
			_, known := f.Value()
			measured = measured || known && m.Presence != Given
			if known || m.Presence == Always && !r.Interrupted {
				s.Rows = append(s.Rows, rowOf(m.Label, f, m.Unit))
			}
			s.Rows = append(s.Rows, r.parts(m.Key)...)
		}
		if measured && len(s.Rows) > 0 {
			list = append(list, s)
		}
	}
	return list
}

// completed reports whether streams ended by themselves.
func (r *Result) completed() bool {
	n, _ := r.Streams.Completed.Value()
	return n > 0
}

// parts returns the rows of what a figure is made of, where that is known by
// name.
func (r *Result) parts(key string) []row {
	var rows []row
	switch key {
	case "memory.machine_bytes": // at the end of the section
		for _, name := range slices.Sorted(maps.Keys(r.Memory.Slabs)) {
			if bytes, _ := r.Memory.Slabs[name].Value(); bytes >= 100 { // result.json has the small ones too
				rows = append(rows, rowOf("kernel: "+name, r.Memory.Slabs[name], UnitBytes))
			}
		}
	case "messages.dropped":
		for _, reason := range slices.Sorted(maps.Keys(r.Messages.DroppedBy)) {
			rows = append(rows, rowOf("dropped: "+reason, r.Messages.DroppedBy[reason], UnitCount))
		}
	}
	return rows
}

// named is a setting or a fact of the environment.
type named struct{ Name, Value string }

// settingsOf lists the settings, but for those that are empty.
func settingsOf(settings map[string]any) []named {
	var list []named
	for name, value := range settings {
		text := fmt.Sprint(value)
		if n, ok := value.(float64); ok { // a number out of a file
			text = plain(n)
		}
		if text != "" && text != "[]" {
			list = append(list, named{name, text})
		}
	}
	slices.SortFunc(list, func(a, b named) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// facts returns what is known of the environment.
func (e *Environment) facts() []named {
	if e == nil {
		return nil
	}
	list := []named{
		{"time", e.Time},
		{"comet", e.Comet},
		{"go", e.Go},
		{"system", e.OS + "/" + e.Arch},
		{"kernel", e.Kernel},
		{"CPU", e.CPU},
		{"cores", fmt.Sprint(e.Cores)},
		{"memory", known(e.MemoryBytes, UnitBytes)},
		{"open files per process", known(e.OpenFiles, UnitCount)},
		{"huge pages", e.HugePages},
	}
	return slices.DeleteFunc(list, func(n named) bool { return n.Value == "" })
}

// machine returns the environment in a line.
func (e *Environment) machine() string {
	if e == nil {
		return ""
	}
	parts := []string{e.Go, e.OS + "/" + e.Arch}
	for _, fact := range []named{
		{"kernel %s", e.Kernel},
		{"%s", e.CPU},
		{"%s cores", fmt.Sprint(e.Cores)},
		{"%s of memory", known(e.MemoryBytes, UnitBytes)},
		{"%s open files per process", known(e.OpenFiles, UnitCount)},
	} {
		if fact.Value != "" {
			parts = append(parts, fmt.Sprintf(fact.Name, fact.Value))
		}
	}
	return strings.Join(parts, ", ")
}

// known writes a value of the machine; "" if there is none or no limit.
func known(v sysctl.Value, unit Unit) string {
	if !v.Known() || v == sysctl.Unlimited {
		return ""
	}
	return Of(int64(v)).Text(unit)
}
