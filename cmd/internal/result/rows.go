package result

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"example.org/comet/sysctl"
)

// Section is a part of the table.
type Section struct {
	Title string
	Rows  []Row
}

// Row is one figure, ready to be read.
type Row struct {
	Label, Number, Unit string
}

func rowOf(label string, f Figure, unit Unit) Row {
	number, in := f.Format(unit)
	return Row{label, number, in}
}

// sectionTitles are the sections in the order of the table.
var sectionTitles = []string{
	sectionConnections, sectionReconnect, sectionStreams, sectionMemory, sectionMessages, sectionLatency, sectionFanOut, sectionService, sectionCPU, sectionProcesses,
}

// Sections returns the table that people get, as text and as HTML alike. A
// section in which nothing was measured is left out, and in a run that was
// interrupted every figure that was not.
func (r *Result) Sections() []Section {
	var list []Section
	if rows := r.targetRows(); len(rows) > 0 && r.held() != "" {
		list = append(list, Section{sectionTargets, rows})
	}
	for _, title := range sectionTitles {
		s, measured := Section{Title: title}, title == sectionProcesses && r.held() != ""
		for _, m := range catalogue {
			if m.Section != title || m.Presence == Hidden || m.Presence == Ended && !r.completed() {
				continue
			}
			f := m.Of(r)
			_, known := f.Value()
			measured = measured || known && m.Presence != Given
			if known || m.Presence == Always && !r.Interrupted {
				row := rowOf(m.Label, f, m.Unit)
				if noise := r.noise(m.Key, f); noise.measured {
					row.Unit += ", ± " + noise.Text(m.Unit) + " of noise"
				}
				s.Rows = append(s.Rows, row)
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
func (r *Result) parts(key string) []Row {
	var rows []Row
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

// Fact is a setting or a fact of the environment.
type Fact struct{ Name, Value string }

// SettingsOf lists the settings, but for those that are empty.
func SettingsOf(settings map[string]any) []Fact {
	var list []Fact
	for name, value := range settings {
		text := fmt.Sprint(value)
		if n, ok := value.(float64); ok { // a number out of a file
			text = plain(n)
		}
		if text != "" && text != "[]" {
			list = append(list, Fact{name, text})
		}
	}
	slices.SortFunc(list, func(a, b Fact) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// Facts returns what is known of the environment.
func (e *Environment) Facts() []Fact {
	if e == nil {
		return nil
	}
	list := []Fact{
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
	return slices.DeleteFunc(list, func(n Fact) bool { return n.Value == "" })
}

// machine returns the environment in a line.
func (e *Environment) machine() string {
	if e == nil {
		return ""
	}
	parts := []string{e.Go, e.OS + "/" + e.Arch}
	for _, fact := range []Fact{
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
