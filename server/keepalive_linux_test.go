package server

import (
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestKeepAliveOfSockets: the sockets of both engines ask silent peers, and give up those
// that acknowledge nothing, as Config has it.
func TestKeepAliveOfSockets(t *testing.T) {
	type settings struct{ asks, idle, interval, count, unacknowledged int }
	const off = -1
	for keepAlive, want := range map[time.Duration]settings{
		7 * time.Minute: {1, 420, 15, 4, 480_000},
		off:             {asks: 0, unacknowledged: 0},
	} {
		bothEngines(t, func(t engineT) {
			r := open(t, Config{Engine: t.engine, KeepAlive: keepAlive, Loops: 2})
			var sockets []func(func(fd uintptr)) error
			if e, ok := r.engine.(*epollEngine); ok {
				for _, l := range e.loops { // whose connections have it from there (tcp(7))
					sockets = append(sockets, func(look func(fd uintptr)) error { look(uintptr(l.listener)); return nil })
				}
			}
			r.run()
			r.stream("1")
			if e, ok := r.engine.(*stdEngine); ok {
				for _, c := range e.all() {
					raw, err := c.Conn.(syscall.Conn).SyscallConn()
					if err != nil {
						t.Fatal(err)
					}
					sockets = append(sockets, raw.Control)
				}
			}
			if len(sockets) == 0 {
				t.Fatal("no socket to look at")
			}
			for _, look := range sockets {
				get := func(level, option int) (value int) {
					var err error
					if e := look(func(fd uintptr) { value, err = unix.GetsockoptInt(int(fd), level, option) }); e != nil || err != nil {
						t.Fatal(e, err)
					}
					return value
				}
				got := settings{asks: get(unix.SOL_SOCKET, unix.SO_KEEPALIVE), unacknowledged: get(unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT)}
				if got.asks == 1 {
					got.idle, got.interval, got.count = get(unix.IPPROTO_TCP, unix.TCP_KEEPIDLE), get(unix.IPPROTO_TCP, unix.TCP_KEEPINTVL), get(unix.IPPROTO_TCP, unix.TCP_KEEPCNT)
				}
				if got != want {
					t.Errorf("with %v: %+v, want %+v", keepAlive, got, want)
				}
			}
		})
	}
}
