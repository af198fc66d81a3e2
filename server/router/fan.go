package router

import "iter"

// Followers knows who follows whom.
type Followers interface {
	// Followers returns the ids that follow publisher, each once, and how many they
	// are. It may be called by many goroutines at once.
	Followers(publisher int64) (ids iter.Seq[int64], n int, err error)
}

// Fan sends one message to the connections of many ids: to each connection once,
// however many of the ids it is logged in as. It is for one goroutine.
type Fan struct {
	local   *Local
	message []byte
	// several are the connections with several ids that have the message.
	several map[recipient]bool
}

type recipient struct {
	conn   Conn
	member uint32
}

// Fan begins to send message, which must not change meanwhile.
func (l *Local) Fan(message []byte) *Fan { return &Fan{local: l, message: message} }

// Send queues the message to every connection logged in as id that does not have
// it yet. It returns as Local.Send does.
func (f *Fan) Send(id int64) (reached, overrun int) {
	return f.local.send(id, f.message, f)
}

// first reports whether the message has not been sent to an entry's connection by
// another of its ids.
func (f *Fan) first(entry *login) bool {
	if !entry.several() {
		return true
	}
	to := recipient{entry.conn, entry.owner()}
	if f.several[to] {
		return false
	}
	if f.several == nil {
		f.several = make(map[recipient]bool)
	}
	f.several[to] = true
	return true
}
