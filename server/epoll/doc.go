// Package epoll is the only place where comet talks to epoll(7). The server and
// the flood client each run one Poller per event loop:
//
//	p, err := epoll.New()
//	err = p.Add(fd, epoll.Read, token)
//	for {
//		events, err := p.Wait(timeout)
//		for _, e := range events { … e.Token … }
//	}
//
// Registrations are edge triggered: after an event its receiver reads or writes
// until the kernel returns EAGAIN. That saves removing write interest after each
// full socket, and reading a wake-up counter.
//
// [Slots] is the table of connections that goes with it: its rows are what the
// tokens name. [Sender] writes to many sockets at once. Slots works on every
// system, the others on Linux only.
package epoll
