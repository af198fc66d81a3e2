// Package sockdiag counts TCP sockets by state at local addresses, as
// `ss -tn state established 'sport = :8000' | wc -l` does, but cheaply: Linux
// filters by state, port and address inside the kernel (NETLINK_SOCK_DIAG, see
// sock_diag(7)), and the answer is read into one buffer that is reused.
//
//	counter, err := sockdiag.Open()
//	…
//	defer counter.Close()
//	filter, err := sockdiag.ParseFilter("127.0.0.1:8000")
//	…
//	counts, err := counter.Count([]sockdiag.Filter{filter}, sockdiag.Established)
//	fmt.Println(counts[sockdiag.Established])
//
// Where netlink is not permitted (some sandboxes), /proc/net/tcp and
// /proc/net/tcp6 are read instead. Systems other than Linux return
// [errors.ErrUnsupported].
package sockdiag

import (
	"errors"
	"fmt"
)

// State is a TCP state by the kernel's number (include/net/tcp_states.h).
type State uint8

// The states that a socket can be seen in.
const (
	Established State = 1 + iota
	SynSent
	SynRecv
	FinWait1
	FinWait2
	TimeWait
	Close
	CloseWait
	LastAck
	Listen
	Closing
	numStates
)

var stateNames = [numStates]string{
	"unknown", "established", "syn-sent", "syn-recv", "fin-wait-1", "fin-wait-2",
	"time-wait", "close", "close-wait", "last-ack", "listen", "closing",
}

func (s State) String() string {
	if s >= numStates {
		return fmt.Sprintf("state %d", uint8(s))
	}
	return stateNames[s]
}

// Counts holds the number of sockets by State. States that were not asked for
// are zero.
type Counts [numStates]int64

func (c *Counts) add(other Counts) {
	for i, n := range other {
		c[i] += n
	}
}

// ErrInterrupted is returned if sockets came and went so fast that the kernel
// could not give a consistent list, several times in a row (NLM_F_DUMP_INTR). The
// counts beside it are those of the last attempt and may be off by a few.
var ErrInterrupted = errors.New("sockdiag: the kernel's list of sockets changed while it was read")

// mask returns the set of states as the kernel takes it, a bit for each.
func mask(states []State) (uint32, error) {
	var m uint32
	for _, s := range states {
		if s == 0 || s >= numStates {
			return 0, fmt.Errorf("sockdiag: %v is not a TCP state", s)
		}
		m |= 1 << s
	}
	if m == 0 {
		return 0, errors.New("sockdiag: name at least one state to count")
	}
	return m, nil
}
