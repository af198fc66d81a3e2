package sockdiag

import (
	"encoding/binary"
	"net/netip"
)

// From include/uapi/linux/{netlink,sock_diag,inet_diag}.h and the kernel's
// socket.h; AF_INET6 is Linux's number, whatever system compiles this.
const (
	nlmsgHdrLen     = 16
	nlmError        = 2
	nlmDone         = 3
	nlmRequest      = 0x1
	nlmDumpIntr     = 0x10
	nlmDump         = 0x300
	getSock         = 18 // TCPDIAG_GETSOCK
	diagMsgLen      = 72 // struct inet_diag_msg
	sendQueue       = 60 // idiag_wqueue in it: of a listener the size of its accept queue
	reqBytecode     = 1  // INET_DIAG_REQ_BYTECODE
	opJump          = 1  // INET_DIAG_BC_JMP
	opLocal         = 7  // INET_DIAG_BC_S_COND
	opLen           = 4  // struct inet_diag_bc_op
	hostLen         = 8  // struct inet_diag_hostcond without its address
	familyAny       = 0  // of a socket and of an address
	familyIPv4      = 2
	familyIPv6      = 10
	requestFixedLen = nlmsgHdrLen + 60 // struct inet_diag_req
)

// appendRequest writes the netlink message that asks for the sockets, of IPv4
// and of IPv6, in the wanted states at one of the filters.
//
// It is the request in its first form, inet_diag_req, which every kernel since
// 2.6.14 takes. The second form, inet_diag_req_v2, must name a family, so that
// the kernel walks through all sockets twice: 7.5 ms of processor time against
// 4.5 ms for 9,000 connections.
func appendRequest(b []byte, want, seq uint32, filters []Filter) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0) // length, set below
	b = binary.NativeEndian.AppendUint16(b, getSock)
	b = binary.NativeEndian.AppendUint16(b, nlmRequest|nlmDump)
	b = binary.NativeEndian.AppendUint32(b, seq)
	b = binary.NativeEndian.AppendUint32(b, 0) // the sender: the kernel knows
	b = append(b, familyAny, 0, 0, 0)          // no extensions: the answer stays small
	b = binary.BigEndian.AppendUint16(b, commonPort(filters))
	b = append(b, make([]byte, 46)...) // the rest of struct inet_diag_sockid: any
	b = binary.NativeEndian.AppendUint32(b, want)
	b = append(b, make([]byte, start+requestFixedLen-len(b))...)
	if len(filters) > 0 {
		attr := len(b)
		b = append(b, 0, 0)
		b = binary.NativeEndian.AppendUint16(b, reqBytecode)
		b = appendProgram(b, filters)
		binary.NativeEndian.PutUint16(b[attr:], uint16(len(b)-attr))
	}
	binary.NativeEndian.PutUint32(b[start:], uint32(len(b)-start))
	return b
}

// commonPort returns the port that all filters name, 0 if they differ. The kernel
// compares it before it runs the bytecode, which makes the usual case cheaper.
func commonPort(filters []Filter) uint16 {
	var port uint16
	for i, f := range filters {
		if i == 0 {
			port = f.Port
		}
		if f.Port != port {
			return 0
		}
	}
	return port
}

// appendProgram writes the filters as a program for the kernel, joined by OR:
//
//	if local end is in filter 1: go on, else skip the next operation
//	jump to the end (accept)
//	if local end is in filter 2: …
//	…
//	if local end is in filter n: go on to the end (accept), else beyond it (reject)
//
// The jump reaches the end because its distance has 16 bits; a condition's
// "yes" distance has only 8. inet_diag_bc_audit in net/ipv4/inet_diag.c states
// what the kernel demands of such a program.
func appendProgram(b []byte, filters []Filter) []byte {
	start := len(b)
	for i, f := range filters {
		size := opLen + hostLen + addressLen(f)
		b = append(b, opLocal, byte(size))
		// Past the jump that follows, or past the end by the same four bytes.
		b = binary.NativeEndian.AppendUint16(b, uint16(size+opLen))
		b = appendHost(b, f)
		if i < len(filters)-1 {
			b = append(b, opJump, opLen, 0, 0)
		}
	}
	end := len(b)
	for i, at := 0, start; i < len(filters)-1; i++ {
		at += opLen + hostLen + addressLen(filters[i])
		binary.NativeEndian.PutUint16(b[at+2:], uint16(end-at))
		at += opLen
	}
	return b
}

func addressLen(f Filter) int {
	if !f.Prefix.IsValid() {
		return 0
	}
	return normal(f.Prefix).Addr().BitLen() / 8
}

// appendHost writes a struct inet_diag_hostcond. With IPv4 in it, the kernel
// also matches v4-mapped addresses of IPv6 sockets.
func appendHost(b []byte, f Filter) []byte {
	port := int32(-1)
	if f.Port != 0 {
		port = int32(f.Port)
	}
	family, bits := byte(familyAny), 0
	var addr netip.Addr
	if f.Prefix.IsValid() {
		p := normal(f.Prefix)
		addr, bits, family = p.Addr(), p.Bits(), familyIPv6
		if addr.Is4() {
			family = familyIPv4
		}
	}
	b = append(b, family, byte(bits), 0, 0)
	b = binary.NativeEndian.AppendUint32(b, uint32(port))
	switch family {
	case familyIPv4:
		four := addr.As4()
		b = append(b, four[:]...)
	case familyIPv6:
		sixteen := addr.As16()
		b = append(b, sixteen[:]...)
	}
	return b
}

// maxFilters keeps a request well below the 16-bit length of its attribute and
// of its jumps.
const maxFilters = 1000
