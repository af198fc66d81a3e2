package result

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Difference is a setting, or a fact of the machine, that is not the same on both
// sides.
type Difference struct {
	Name string `json:"name"`
	A    string `json:"a"`
	B    string `json:"b"`
	// Load says that it is of the load or the engine, so that the figures of the two do
	// not compare.
	Load bool `json:"load"`
}

// String returns engine epoll and goroutine.
func (d Difference) String() string {
	return oneLine(d.Name) + " " + Setting(d.A) + " and " + Setting(d.B)
}

func listed(all []Difference) string {
	texts := make([]string, len(all))
	for i, d := range all {
		texts[i] = d.String()
	}
	return strings.Join(texts, "; ")
}

// LoadError is the error of two results that were measured with other settings.
type LoadError struct {
	A, B        string
	Differences []Difference
}

func (e *LoadError) Error() string {
	return fmt.Sprintf("result: %s and %s were not measured alike: %s: measure both with the same settings, or compare with --force", e.A, e.B, listed(e.Differences))
}

// apartFromLoad are the settings that may differ: which server is measured and as what
// it is watched, what may come of it, and where things are. What is not named here is
// of the load or the engine, so that a setting that is new is not overlooked.
var apartFromLoad = []string{
	"seed", "url", "urls", "publish", "pid", "match", "server-log", "listen", "resolve", "source-ip",
	"out", "json", "metrics", "config", "preset", "slo", "fail-if",
	"repeat", "steps", "interval", "apply-sysctl", "own-network", "subject-prefix",
	"ca", "cert", "key", "insecure", "router-ca", "router-cert", "router-key", "router-credentials",
}

// severally stands for a setting that the runs of one side do not share, such as the
// seed that each draws for itself.
const severally = "differs from run to run"

// differences returns what is not the same in the settings of a and b, those of the
// load first, and in what they ran on.
func differences(a, b Runs, defaults map[string]any) []Difference {
	list := []Difference{}
	inA, inB := settingsOfRuns(a, defaults), settingsOfRuns(b, defaults)
	both := maps.Clone(inA)
	maps.Copy(both, inB)
	for _, name := range slices.Sorted(maps.Keys(both)) {
		d := Difference{Name: name, A: inA[name], B: inB[name], Load: !slices.Contains(apartFromLoad, name)}
		if d.A != d.B || d.Load && d.A == severally {
			list = append(list, d)
		}
	}
	slices.SortStableFunc(list, func(x, y Difference) int {
		switch {
		case x.Load == y.Load:
			return 0
		case x.Load:
			return -1
		}
		return 1
	})
	return append(list, environments(a, b)...)
}

// settingsOfRuns returns the settings of a side. What is not given has its default.
func settingsOfRuns(side Runs, defaults map[string]any) map[string]string {
	values := make(map[string][]string)
	for _, r := range side.Results {
		given := map[string]any{}
		maps.Copy(given, defaults)
		if r.Processes.Engine != "" {
			given["engine"] = r.Processes.Engine
		}
		maps.Copy(given, r.Settings)
		for _, s := range SettingsOf(given) {
			values[s.Name] = append(values[s.Name], s.Value)
		}
	}
	settings := make(map[string]string, len(values))
	for name, all := range values {
		settings[name] = all[0]
		if len(all) < len(side.Results) || len(slices.Compact(all)) > 1 {
			settings[name] = severally
		}
	}
	return settings
}

// environments returns how the machines and the programs differ.
func environments(a, b Runs) (list []Difference) {
	inA, inB := factsOf(a), factsOf(b)
	value := func(facts []Fact, name string) string {
		for _, fact := range facts {
			if fact.Name == name {
				return fact.Value
			}
		}
		return ""
	}
	for _, fact := range inA {
		if there := value(inB, fact.Name); fact.Name != "time" && fact.Value != there {
			list = append(list, Difference{Name: fact.Name, A: fact.Value, B: there})
		}
	}
	for _, fact := range inB {
		if fact.Name != "time" && value(inA, fact.Name) == "" {
			list = append(list, Difference{Name: fact.Name, B: fact.Value})
		}
	}
	return list
}

// factsOf returns what is known of where a side was measured.
func factsOf(side Runs) []Fact {
	if len(side.Results) == 0 {
		return nil
	}
	return side.Results[0].Environment.Facts()
}
