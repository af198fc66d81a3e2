package result

// ServerCPUPer10k returns the server's CPU seconds for 10,000 connects.
func (r *Result) ServerCPUPer10k() Figure {
	return r.Connect.ServerCPUSeconds.Per(r.Connections.Established).Times(10_000)
}

// FloodCPUPer10k returns the client's CPU seconds for 10,000 connects.
func (r *Result) FloodCPUPer10k() Figure {
	return r.Connect.FloodCPUSeconds.Per(r.Connections.Established).Times(10_000)
}

// CPUPerMessage returns the CPU microseconds of one role for each message
// delivered; of the server they include the intake.
func (r *Result) CPUPerMessage(seconds Figure) Figure {
	return seconds.Per(r.Messages.Delivered).Times(1e6)
}

// ServerCores returns how many cores the servers used on average while messages
// were sent.
func (r *Result) ServerCores() Figure {
	return r.CPU.Server.Per(r.Messages.Delivered.Per(r.Messages.DeliveredPerSecond))
}

// Loss returns the share of the expected messages that did not arrive, from 0
// to 1. It is 0 where none was expected.
func (r *Result) Loss() Figure {
	if expected, ok := r.Messages.Expected.Value(); ok && expected == 0 {
		return r.Messages.Missing
	}
	return r.Messages.Missing.Per(r.Messages.Expected)
}

// Errors returns the number of connections that failed or were closed early, but
// for streams that completed, and of messages that were refused. Without messages there are no refusals.
func (r *Result) Errors() Figure {
	sum := r.Connections.Failed.Plus(r.closedUnasked())
	if _, sent := r.Messages.Sent.Value(); sent {
		sum = sum.Plus(r.Messages.Refused)
	}
	return sum
}

// closedUnasked returns how many connections ended that neither completed nor left on
// purpose, whether they came back or not.
func (r *Result) closedUnasked() Figure {
	closed, known := r.Connections.Closed.Value()
	if !known {
		return Figure{}
	}
	completed, _ := r.Streams.Completed.Value()
	left, _ := r.Reconnect.Left.Value()
	early, _ := r.Streams.EndedEarly.Value()
	return Of(max(closed-completed-left, early, 0))
}

// service returns the quantiles of the service time; none if messages had a due
// time.
func (r *Result) service() Quantiles {
	if r.Service == nil {
		return Quantiles{}
	}
	return *r.Service
}
