package server

import (
	"errors"
	"fmt"
)

// errFilesKept is why accepting pauses although there are files.
var errFilesKept = errors.New("the files that are left are kept for the admin listener")

// The process's files are shared out, so that neither listener can starve the
// other: this many are kept from the streams, for the rest.
const (
	// reservedFiles are kept in all.
	reservedFiles = 64
	// fixedFiles of them are for listeners, logs, the router and the Go runtime.
	fixedFiles = 16
	// filesPerLoop are for an event loop: its socket, two of epoll(7) and an
	// eventfd(2). The reserve has room for those of reservedLoops.
	filesPerLoop  = 4
	reservedLoops = 4
	// leastAdmins are for connections to the admin listener. The others are for
	// heads that are being read, and answers that are being half-closed.
	leastAdmins = 16
	mostAdmins  = 256
)

// shareFiles sets how many streams and sockets there may be, and returns how
// many connections the admin listener may have. A limit of 0 files is unknown.
func (c *core) shareFiles(files uint64) (admins int, err error) {
	c.limit, c.room = int64(c.MaxConnections), 1<<62
	if files == 0 {
		if c.limit == 0 {
			c.limit = 1 << 62
		}
		return mostAdmins, nil
	}
	loops := int64(0)
	if c.Engine == Epoll {
		loops = int64(c.Loops)
	}
	reserved := reservedFiles + filesPerLoop*max(loops-reservedLoops, 0)
	most := int64(min(files, 1<<62)) - reserved
	if c.limit > most {
		return 0, fmt.Errorf("server: this process may open %d files and %d connections need %d: allow fewer connections, or raise the limit (ulimit -n %d)", files, c.limit, c.limit+reserved, c.limit+reserved)
	}
	if c.limit == 0 {
		c.limit = max(most-spareForAdmins(most), 1)
	}
	admins = int(min(leastAdmins+max(most-c.limit, 0)/2, mostAdmins))
	c.room = max(most+reserved-fixedFiles-filesPerLoop*loops-int64(admins)-1, c.limit+1)
	return admins, nil
}

// spareForAdmins returns how many of the files that streams may have are left to
// connections to the admin listener, where nobody has said how many streams there may be:
// none where files are few.
func spareForAdmins(most int64) int64 {
	const few = 32 << 10
	return min(max(most-few, 0)/64, 2*(mostAdmins-leastAdmins))
}

// mayOpen reports whether one more connection to Listen may be accepted.
func (c *core) mayOpen() bool { return c.sockets.Load() < c.room }
