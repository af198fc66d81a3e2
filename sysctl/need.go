package sysctl

import (
	"cmp"
	"fmt"
)

// Role says which ends of the connections are on this machine.
type Role int

// The roles. Both means server and clients here, in different processes.
const (
	Server Role = iota
	Client
	Both
)

// String returns the role as the command line spells it.
func (r Role) String() string {
	switch r {
	case Server:
		return "server"
	case Client:
		return "client"
	case Both:
		return "both"
	}
	return fmt.Sprintf("Role(%d)", int(r))
}

// Need is what a program is about to do.
type Need struct {
	// Connections counts the connections of all processes together.
	Connections int
	// Role says which of their ends are here.
	Role Role
	// SourceAddresses counts the local addresses that clients connect from, and
	// Destinations the distinct address:port pairs that they connect to. 0 means
	// 1.
	SourceAddresses, Destinations int
	// PortsPerAddress counts the ports that clients bind explicitly on each
	// source address; 0 means that the kernel chooses their ports.
	PortsPerAddress int
	// Processes counts the processes that share each end's connections evenly;
	// 0 means 1.
	Processes int
	// BytesPerConnection is the memory of processes that a connection costs on
	// this machine; it is added to the kernel's. 0 means too little to matter.
	BytesPerConnection int
	// SocketBytes is the kernel's memory for one end, where it may turn out lower than
	// [SocketBytes] and whoever asks stops before this machine is full; 0 means that. A
	// control group's limit is judged by that in any case: it kills.
	SocketBytes int
	// SpareBytes is memory of this machine that is to stay free.
	SpareBytes int64
	// Flag is the flag that asks for fewer connections; "" means "-c".
	Flag string
}

// Reserve counts the files that a process needs besides its connections: the
// standard streams, listeners, logs, epoll and wake-up files, and the admin
// connections of the moment.
const Reserve = 64

// SocketBytes is the memory that the kernel takes for one end of a TCP
// connection at rest, whatever its buffer sizes: 4.9 KiB, the upper figure
// measured on Linux 6.
const SocketBytes = 5018

// ends returns how many of a connection's two sockets are on this machine.
func (n Need) ends() Value {
	if n.Role == Both {
		return 2
	}
	return 1
}

// bytes returns the memory that all connections take on this machine.
func (n Need) bytes() Value {
	return saturating(Value(n.Connections), n.each())
}

// each returns the memory that a connection takes on this machine.
func (n Need) each() Value {
	return n.ends()*Value(cmp.Or(n.SocketBytes, SocketBytes)) + Value(n.BytesPerConnection)
}
