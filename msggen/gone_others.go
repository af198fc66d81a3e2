//go:build !unix

package msggen

import "net"

// peerGone cannot ask here whether the peer has closed conn.
func peerGone(net.Conn) bool { return false }

// closedUnread cannot ask here what the peer's kernel answered.
func closedUnread(net.Conn) bool { return false }
