package server

import "golang.org/x/sys/unix"

// acceptQueue adds what a listening socket holds to q: of such a socket the kernel
// gives it as tcpi_unacked and tcpi_sacked (tcp_get_info in net/ipv4/tcp.c).
func acceptQueue(fd int, q *AcceptQueue) {
	if info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
		q.add(int64(info.Unacked), int64(info.Sacked))
	}
}
