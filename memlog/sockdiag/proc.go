package sockdiag

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
)

// countProc counts from the files tcp and tcp6 in dir, such as
// /proc/4711/net: the sockets of the network namespace of process 4711. Without
// filters it counts all sockets. It costs about twenty times as much as netlink.
func countProc(dir string, filters []Filter, states ...State) (Counts, error) {
	want, err := mask(states)
	if err != nil {
		return Counts{}, err
	}
	counts, err := countFile(filepath.Join(dir, "tcp"), filters, want)
	if err != nil {
		return Counts{}, err
	}
	six, err := countFile(filepath.Join(dir, "tcp6"), filters, want)
	if errors.Is(err, fs.ErrNotExist) { // a kernel without IPv6 has no sockets of it
		return counts, nil
	}
	counts.add(six)
	return counts, err
}

func countFile(path string, filters []Filter, want uint32) (Counts, error) {
	f, err := os.Open(path)
	if err != nil {
		return Counts{}, fmt.Errorf("sockdiag: the kernel's list of TCP sockets cannot be read: %w", err)
	}
	defer f.Close()
	counts, err := countLines(f, filters, want)
	if err != nil {
		return Counts{}, fmt.Errorf("sockdiag: %s: %w", path, err)
	}
	return counts, nil
}

// countLines reads /proc/net/tcp or tcp6 (proc_pid_net(5)): a heading, then a
// line per socket whose second column is the local address and whose fourth
// is the state, both hexadecimal.
func countLines(r io.Reader, filters []Filter, want uint32) (Counts, error) {
	var counts Counts
	in := bufio.NewScanner(r)
	for line := 1; in.Scan(); line++ {
		if line == 1 {
			continue
		}
		local, state, ok := parseSocket(in.Bytes())
		if !ok {
			return Counts{}, fmt.Errorf("line %d is not a socket: %.80q", line, in.Bytes())
		}
		if want&(1<<state) != 0 && matchAny(filters, local) {
			counts[state]++
		}
	}
	return counts, in.Err()
}

// parseSocket parses "   0: 0100007F:1F40 0200007F:9C40 01 …".
func parseSocket(line []byte) (local netip.AddrPort, state State, ok bool) {
	var words [4][]byte
	for i := range words {
		for len(line) > 0 && line[0] == ' ' {
			line = line[1:]
		}
		n := 0
		for n < len(line) && line[n] != ' ' {
			n++
		}
		words[i], line = line[:n], line[n:]
	}
	local, ok = parseLocal(words[1])
	n, err := strconv.ParseUint(string(words[3]), 16, 8)
	const newSynRecv = 12 // a half-open connection; netlink calls it SYN_RECV too
	if n == newSynRecv {
		n = uint64(SynRecv)
	}
	return local, State(n), ok && err == nil && n > 0 && n < uint64(numStates)
}

// parseLocal parses an address, 32-bit words in the byte order of the machine, and
// a port, most significant digit first.
func parseLocal(word []byte) (netip.AddrPort, bool) {
	var b [18]byte
	digits := len(word) - 5
	if digits != 8 && digits != 32 || word[digits] != ':' {
		return netip.AddrPort{}, false
	}
	if _, err := hex.Decode(b[:16], word[:digits]); err != nil {
		return netip.AddrPort{}, false
	}
	if _, err := hex.Decode(b[16:], word[digits+1:]); err != nil {
		return netip.AddrPort{}, false
	}
	for i := 0; i < 16; i += 4 {
		binary.NativeEndian.PutUint32(b[i:], binary.BigEndian.Uint32(b[i:]))
	}
	addr := netip.AddrFrom16([16]byte(b[:16]))
	if digits == 8 {
		addr = netip.AddrFrom4([4]byte(b[:4]))
	}
	return netip.AddrPortFrom(addr, binary.BigEndian.Uint16(b[16:])), true
}
