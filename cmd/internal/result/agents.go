package result

import "cmp"

// Agent is a load host, and what it did. CPU is of its floods, in seconds, of the phases
// in which connections were opened and messages sent.
type Agent struct {
	Name        string `json:"name"`
	Host        string `json:"host"`
	Cores       int    `json:"cores"`
	Connections Figure `json:"connections"`
	ConnectCPU  Figure `json:"connect_cpu_seconds"`
	MessagesCPU Figure `json:"messages_cpu_seconds"`
	// ClockOffset is how far its clock was found to be ahead of the coordinator's, which
	// the latency is free of, and ClockError how far that may be off.
	ClockOffset Figure `json:"clock_offset_ms"`
	ClockError  Figure `json:"clock_error_ms"`
	// Lost is why it was lost; "" if it was not.
	Lost string `json:"lost,omitempty"`
}

// AddTrial returns the agents of several trials, with those of one more: the most
// connections that each had at once, its CPU in all of them, and its clock as it was
// last measured, with the largest error.
func AddTrial(all, trial []Agent) []Agent {
	before := make(map[string]Agent)
	for _, a := range all {
		before[a.Name] = a
	}
	sum := make([]Agent, 0, len(trial))
	for _, a := range trial {
		then := before[a.Name]
		a.Connections, a.ClockError = Most(a.Connections, then.Connections), Most(a.ClockError, then.ClockError)
		a.ConnectCPU, a.MessagesCPU = Add(a.ConnectCPU, then.ConnectCPU), Add(a.MessagesCPU, then.MessagesCPU)
		if _, known := a.ClockOffset.Value(); !known {
			a.ClockOffset = then.ClockOffset
		}
		a.Lost = cmp.Or(a.Lost, then.Lost)
		sum = append(sum, a)
	}
	return sum
}

// AgentRows returns a row for each agent, below what heads the columns; nothing if there
// are none.
func AgentRows(agents []Agent) (head []string, rows [][]string) {
	if len(agents) == 0 {
		return nil, nil
	}
	head = []string{"agent", "host", "cores", "connections", "CPU connecting", "CPU messages", "clock ahead", "give or take", "lost"}
	for _, a := range agents {
		rows = append(rows, []string{
			oneLine(a.Name), oneLine(a.Host), Of(a.Cores).Text(UnitCount), a.Connections.Text(UnitCount), a.ConnectCPU.Text(UnitSeconds),
			a.MessagesCPU.Text(UnitSeconds), a.ClockOffset.Text(UnitMillis), a.ClockError.Text(UnitMillis), cmp.Or(oneLine(a.Lost), "no"),
		})
	}
	return head, rows
}
