package epoll

import (
	"runtime"
	"sync"
)

// reserved counts the processors that the runtime has been given.
var reserved struct {
	sync.Mutex
	n int
}

// Reserve gives the Go runtime n processors more than it has, until release is
// called: one for each Poller that is waited for, so that the rest of the program
// has as many as without them. It stops the world for a moment, and ends the
// runtime's following of a changing CPU limit (runtime.GOMAXPROCS).
func Reserve(n int) (release func()) {
	grow(n)
	return func() { grow(-n) }
}

func grow(n int) {
	reserved.Lock()
	defer reserved.Unlock()
	reserved.n += n
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + n)
}

// Processors returns how many processors the runtime has without what is
// reserved, and at least one: the program may have set a number without regard to
// that.
func Processors() int {
	reserved.Lock()
	defer reserved.Unlock()
	return max(runtime.GOMAXPROCS(0)-reserved.n, 1)
}
