package live

import (
	"maps"
	"slices"

	"example.org/comet/cmd/internal/result"
	"example.org/comet/server/adminhttp"
)

// metricList gathers lines of /metrics. A figure that was not measured has none.
type metricList []adminhttp.Metric

// add adds a line if its figure was measured. The help goes above the first line of
// its name.
func (l *metricList) add(m adminhttp.Metric, f result.Figure, divisor float64) {
	value, measured := f.Value()
	if !measured {
		return
	}
	if n := len(*l); n > 0 && (*l)[n-1].Name == m.Name {
		m.Help = ""
	}
	m.Value = value / divisor
	*l = append(*l, m)
}

// quantiles adds the lines of a distribution, in seconds.
func (l *metricList) quantiles(name, help, over string, q result.Quantiles) {
	for _, one := range []struct {
		percentile string
		figure     result.Figure
	}{{"50", q.P50}, {"90", q.P90}, {"99", q.P99}, {"100", q.Max}} {
		l.add(adminhttp.Gauge(name, help, adminhttp.Labels("over", over, "percentile", one.percentile), 0), one.figure, 1000)
	}
}

// totals are what is counted over all runs of a series, each of which begins at 0: a
// counter never falls.
type totals struct{ attempts, delivered, accepted, refused result.Figure }

// with returns the totals with those of one more run.
func (t totals) with(m result.Moment) totals {
	return totals{
		result.Add(t.attempts, m.Attempts), result.Add(t.delivered, m.Delivered),
		result.Add(t.accepted, m.Accepted), result.Add(t.refused, m.Refused),
	}
}

// metrics lists the figures of the last moment under the names that Prometheus users
// expect: base units, counters in _total.
func (s *Server) metrics() []adminhttp.Metric {
	s.mu.Lock()
	m, soFar, begun, ended := s.last, s.soFar, !s.started.IsZero(), s.ended != nil
	total := s.before.with(m)
	s.mu.Unlock()
	l := metricList{
		adminhttp.Gauge("comet_run_info", "What is run, as a label of the constant 1.", adminhttp.Labels("title", s.title), 1),
		adminhttp.Gauge("comet_run_ended", "Whether the run has ended.", "", adminhttp.Bool(ended)),
	}
	if !begun {
		return l
	}
	l = append(l,
		adminhttp.Gauge("comet_run_elapsed_seconds", "Since the run began, at the moment that these figures are of.", "", m.Seconds),
		adminhttp.Gauge("comet_run_phase", "The phase of the run, as a label of the constant 1.", adminhttp.Labels("phase", m.Phase), 1),
	)
	const connections = "Connections by what became of them: a closed one that comes back is open again."
	for _, state := range []struct {
		name   string
		figure result.Figure
	}{{"open", m.Connected}, {"closed", m.Closed}, {"failed", m.Failed}} {
		l.add(adminhttp.Gauge("comet_run_connections", connections, adminhttp.Labels("state", state.name), 0), state.figure, 1)
	}
	l.add(adminhttp.Gauge("comet_run_connects_per_second", "Connections opened, the first time or again.", "", 0), m.ConnectedPerSecond, 1)
	l.add(adminhttp.Counter("comet_run_reconnect_attempts_total", "Attempts to open a connection again.", "", 0), total.attempts, 1)
	l.add(adminhttp.Counter("comet_run_messages_delivered_total", "Messages that arrived at a connection, each once.", "", 0), total.delivered, 1)
	l.add(adminhttp.Counter("comet_run_messages_sent_total", "Messages that were accepted.", "", 0), total.accepted, 1)
	l.add(adminhttp.Counter("comet_run_messages_refused_total", "Messages that were not accepted.", "", 0), total.refused, 1)
	const latency = "From when a message was due to when it arrived, over the last second or the run; percentile 100 is the longest."
	l.quantiles("comet_run_latency_seconds", latency, "second", m.Latency)
	l.quantiles("comet_run_latency_seconds", latency, "run", soFar)
	l.quantiles("comet_run_lateness_seconds", "From when a message was due to when it was written, over the last second; percentile 100 is the longest.", "second", m.Late)
	l.add(adminhttp.Gauge("comet_run_server_resident_memory_bytes", "Resident memory of the servers that are measured.", "", 0), m.Memory, 1)
	l.add(adminhttp.Gauge("comet_run_machine_memory_bytes", "Memory in use on this machine.", "", 0), m.Machine, 1)
	for _, role := range slices.Sorted(maps.Keys(m.CPU)) {
		l.add(adminhttp.Gauge("comet_run_cpu_cores", "Processors in use, by role.", adminhttp.Labels("role", role), 0), m.CPU[role], 1)
	}
	return l
}
