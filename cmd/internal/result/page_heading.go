package result

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// where returns what stands above the title of a page: how, when and on what it
// was measured.
func (e *Environment) where(how string) []string {
	if e == nil {
		return []string{how}
	}
	parts := []string{how, e.when(), e.CPU}
	if e.Cores > 0 {
		parts = append(parts, count(float64(e.Cores), "processor"))
	}
	parts = append(parts, known(e.MemoryBytes, UnitBytes), strings.TrimSpace(systemName(e.OS)+" "+e.Kernel))
	return slices.DeleteFunc(parts, func(s string) bool { return s == "" })
}

// systemName writes linux as Linux.
func systemName(goos string) string {
	switch goos {
	case "darwin":
		return "macOS"
	case "":
		return ""
	}
	return strings.ToUpper(goos[:1]) + goos[1:]
}

// when returns the time for people, in its own zone.
func (e *Environment) when() string {
	at, err := time.Parse(time.RFC3339, e.Time)
	if err != nil {
		return oneLine(e.Time)
	}
	if _, offset := at.Zone(); offset == 0 {
		return at.UTC().Format("2006-01-02 15:04 UTC")
	}
	return at.Format("2006-01-02 15:04 -07:00")
}

// tile is a figure that people look for first, with what qualifies it.
type tile struct{ Label, Number, Below string }

// tiles returns the figures that people look for first, as far as they were measured.
func (r *Result) tiles() []tile {
	all := []tile{r.connectionsTile(), r.memoryTile(), r.latencyTile(), r.deliveredTile(), r.cpuTile(), r.returnTile(), r.connectTile()}
	return slices.DeleteFunc(all, func(t tile) bool { return t.Number == "" })
}

func (r *Result) connectionsTile() tile {
	established, ok := r.Connections.Established.Value()
	if !ok {
		return tile{}
	}
	t := tile{"connections", group(established), ""}
	var below []string
	if asked, ok := r.Connections.Asked.Value(); ok && asked != established {
		below = append(below, "of "+group(asked)+" asked")
	}
	for _, c := range []struct {
		what string
		n    Figure
	}{{"failed", r.Connections.Failed}, {"closed early", r.Connections.Closed}} {
		if n, ok := c.n.Value(); ok && (n > 0 || c.what == "failed") {
			below = append(below, group(n)+" "+c.what)
		}
	}
	t.Below = strings.Join(below, ", ")
	return t
}

func (r *Result) memoryTile() tile {
	each := r.Memory.BytesPerConnection
	if _, ok := each.Value(); !ok {
		return tile{}
	}
	t := tile{"memory per connection", each.Text(UnitBytes), ""}
	if _, ok := r.Memory.KernelBytesPerConnection.Value(); ok {
		t.Below = "and " + r.Memory.KernelBytesPerConnection.Text(UnitBytes) + " in the kernel"
	}
	if !r.resolvesMemory() {
		t.Below = "± " + r.memoryNoise().Text(UnitBytes) + ": too few connections to tell"
	}
	return t
}

func (r *Result) latencyTile() tile {
	p50, p99, what := r.Latency.P50, r.Latency.P99, "messages within"
	if r.Service != nil {
		p50, p99, what = r.Service.P50, r.Service.P99, "service times within"
	}
	if _, ok := p50.Value(); ok {
		t := tile{"half of the " + what, p50.Text(UnitMillis), ""}
		if _, ok := p99.Value(); ok {
			t.Below = "99 % within " + p99.Text(UnitMillis)
		}
		return t
	}
	if _, ok := p99.Value(); ok {
		return tile{"99 % of the " + what, p99.Text(UnitMillis), ""}
	}
	return tile{}
}

func (r *Result) deliveredTile() tile {
	if _, ok := r.Messages.DeliveredPerSecond.Value(); !ok {
		return tile{}
	}
	t := tile{"messages delivered", r.Messages.DeliveredPerSecond.Text(UnitPerSecond), ""}
	if missing, ok := r.Messages.Missing.Value(); ok {
		t.Below = group(missing) + " missing"
	}
	return t
}

func (r *Result) cpuTile() tile {
	each := r.CPUPerMessage(r.CPU.Server)
	if _, ok := each.Value(); !ok {
		return tile{}
	}
	t := tile{"server CPU per message", each.Text(UnitMicros), ""}
	if cores, ok := r.ServerCores().Value(); ok {
		t.Below = significant(100*cores) + " % of one processor"
	}
	return t
}

// returnTile shows how fast connections came back that were dropped or left.
func (r *Result) returnTile() tile {
	if _, ok := r.Reconnect.SecondsToP50.Value(); !ok {
		return tile{}
	}
	t := tile{"half came back within", r.Reconnect.SecondsToP50.Text(UnitSeconds), ""}
	if _, ok := r.Reconnect.SecondsToP99.Value(); ok {
		t.Below = "99 % within " + r.Reconnect.SecondsToP99.Text(UnitSeconds)
	}
	return t
}

// connectTile stands in for what messages would have shown, where none were
// delivered.
func (r *Result) connectTile() tile {
	if _, ok := r.Messages.DeliveredPerSecond.Value(); ok {
		return tile{}
	}
	if _, ok := r.Connect.PerSecond.Value(); !ok {
		return tile{}
	}
	t := tile{"connected", r.Connect.PerSecond.Text(UnitPerSecond), ""}
	if _, ok := r.Connect.Latency.P99.Value(); ok {
		t.Below = fmt.Sprintf("99 %% within %s", r.Connect.Latency.P99.Text(UnitMillis))
	}
	return t
}
