package report

import (
	"slices"
	"strings"

	"example.org/comet/cmd/internal/result"
)

// tile is a figure that people look for first, with what qualifies it.
type tile struct{ Label, Number, Below string }

// tiles returns the figures that people look for first, as far as they were measured.
func tiles(r *result.Result) []tile {
	all := []tile{connectionsTile(r), memoryTile(r), latencyTile(r), deliveredTile(r), cpuTile(r), returnTile(r), connectTile(r)}
	return slices.DeleteFunc(all, func(t tile) bool { return t.Number == "" })
}

func connectionsTile(r *result.Result) tile {
	established, ok := r.Connections.Established.Value()
	if !ok {
		return tile{}
	}
	t := tile{"connections", r.Connections.Established.Text(result.UnitCount), ""}
	var below []string
	if asked, ok := r.Connections.Asked.Value(); ok && asked != established {
		below = append(below, "of "+r.Connections.Asked.Text(result.UnitCount)+" asked")
	}
	for _, c := range []struct {
		what string
		n    result.Figure
	}{{"failed", r.Connections.Failed}, {"closed early", r.Connections.Closed}} {
		if n, ok := c.n.Value(); ok && (n > 0 || c.what == "failed") {
			below = append(below, c.n.Text(result.UnitCount)+" "+c.what)
		}
	}
	t.Below = strings.Join(below, ", ")
	return t
}

func memoryTile(r *result.Result) tile {
	each := r.Memory.BytesPerConnection
	if _, ok := each.Value(); !ok {
		return tile{}
	}
	t := tile{"memory per connection", each.Text(result.UnitBytes), ""}
	if _, ok := r.Memory.KernelBytesPerConnection.Value(); ok && r.ResolvesKernel() {
		t.Below = "and " + r.Memory.KernelBytesPerConnection.Text(result.UnitBytes) + " in the kernel"
	}
	if !r.ResolvesMemory() {
		t.Below = "± " + r.MemoryNoise().Text(result.UnitBytes) + ": too few connections to tell"
	}
	return t
}

func latencyTile(r *result.Result) tile {
	p50, p99, what := r.Latency.P50, r.Latency.P99, "messages within"
	if r.Service != nil {
		p50, p99, what = r.Service.P50, r.Service.P99, "service times within"
	}
	if _, ok := p50.Value(); ok {
		t := tile{"half of the " + what, p50.Text(result.UnitMillis), ""}
		if _, ok := p99.Value(); ok {
			t.Below = "99 % within " + p99.Text(result.UnitMillis)
		}
		return t
	}
	if _, ok := p99.Value(); ok {
		return tile{"99 % of the " + what, p99.Text(result.UnitMillis), ""}
	}
	return tile{}
}

func deliveredTile(r *result.Result) tile {
	if _, ok := r.Messages.DeliveredPerSecond.Value(); !ok {
		return tile{}
	}
	t := tile{"messages delivered", r.Messages.DeliveredPerSecond.Text(result.UnitPerSecond), ""}
	if _, ok := r.Messages.Missing.Value(); ok {
		t.Below = r.Messages.Missing.Text(result.UnitCount) + " missing"
	}
	return t
}

func cpuTile(r *result.Result) tile {
	each := r.CPUPerMessage(r.CPU.Server)
	if _, ok := each.Value(); !ok {
		return tile{}
	}
	t := tile{"server CPU per message", each.Text(result.UnitMicros), ""}
	if _, ok := r.ServerCores().Value(); ok {
		t.Below = r.ServerCores().Text(result.UnitShare) + " of one processor"
	}
	return t
}

// returnTile shows how fast connections came back that were dropped or left.
func returnTile(r *result.Result) tile {
	if _, ok := r.Reconnect.SecondsToP50.Value(); !ok {
		return tile{}
	}
	t := tile{"half came back within", r.Reconnect.SecondsToP50.Text(result.UnitSeconds), ""}
	if _, ok := r.Reconnect.SecondsToP99.Value(); ok {
		t.Below = "99 % within " + r.Reconnect.SecondsToP99.Text(result.UnitSeconds)
	}
	return t
}

// connectTile stands in for what messages would have shown, where none were
// delivered.
func connectTile(r *result.Result) tile {
	if _, ok := r.Messages.DeliveredPerSecond.Value(); ok {
		return tile{}
	}
	if _, ok := r.Connect.PerSecond.Value(); !ok {
		return tile{}
	}
	t := tile{"connected", r.Connect.PerSecond.Text(result.UnitPerSecond), ""}
	if _, ok := r.Connect.Latency.P99.Value(); ok {
		t.Below = "99 % within " + r.Connect.Latency.P99.Text(result.UnitMillis)
	}
	return t
}
