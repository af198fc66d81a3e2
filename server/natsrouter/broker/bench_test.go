//go:build !nonats

package broker

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"example.org/comet/server/natsrouter"
)

// rawNode is a client that subscribes and counts, and keeps nothing: what is
// measured beside it is the router's.
type rawNode struct {
	conn net.Conn
	out  *bufio.Writer
	in   *bufio.Reader
}

func dialRaw(tb testing.TB, r *Broker) *rawNode {
	tb.Helper()
	conn, err := net.Dial("tcp", r.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close() })
	n := &rawNode{conn, bufio.NewWriterSize(conn, 64<<10), bufio.NewReaderSize(conn, 256<<10)}
	fmt.Fprint(n.out, "CONNECT {\"verbose\":false,\"pedantic\":false,\"protocol\":1}\r\n")
	n.flush(tb)
	return n
}

// flush waits until the router has taken everything.
func (n *rawNode) flush(tb testing.TB) {
	tb.Helper()
	fmt.Fprint(n.out, "PING\r\n")
	if err := n.out.Flush(); err != nil {
		tb.Fatal(err)
	}
	for {
		line, err := n.in.ReadSlice('\n')
		if err != nil {
			tb.Fatal(err)
		}
		if string(line) == "PONG\r\n" {
			return
		}
	}
}

// appendSubject appends the subject of messages to id.
func appendSubject(dst []byte, id int64) []byte {
	return fmt.Appendf(dst, "%s.%d.%d", natsrouter.DefaultSubjectPrefix, id/natsrouter.BlockSize, id)
}

// liveBytes is the heap that is in use.
func liveBytes() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// BenchmarkRouter sends to random ids that two nodes hold between them. Reported
// are the messages that the router passes on, and its live memory per id.
func BenchmarkRouter(b *testing.B) {
	for _, ids := range []int{15_000, 100_000, 1_000_000} {
		for _, interest := range []string{"exact", "block"} {
			for _, cached := range []bool{false, true} {
				b.Run(fmt.Sprintf("interest=%s/ids=%d/cache=%v", interest, ids, cached), func(b *testing.B) {
					benchmarkRouter(b, ids, interest, cached)
				})
			}
		}
	}
}

func benchmarkRouter(b *testing.B, ids int, interest string, cached bool) {
	b.Helper()
	r, err := newBroker(Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0"}, func(o *server.Options) {
		o.NoSublistCache = !cached
		o.PingInterval = time.Hour // a rawNode does not answer
	})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	nodes := []*rawNode{dialRaw(b, r), dialRaw(b, r)}
	before := liveBytes()
	for id := range ids {
		node := nodes[id/natsrouter.BlockSize%2] // whole blocks, as ids that are pinned
		switch {
		case interest == "exact":
			node.out.WriteString("SUB ")
			node.out.Write(appendSubject(node.out.AvailableBuffer(), int64(id)))
			node.out.WriteString(" " + strconv.Itoa(id+1) + "\r\n")
		case id%natsrouter.BlockSize == 0:
			fmt.Fprintf(node.out, "SUB comet.msg.%d.* %d\r\n", id/natsrouter.BlockSize, id+1)
		}
	}
	for _, node := range nodes {
		node.flush(b)
	}
	perID := (liveBytes() - before) / float64(ids)
	for _, node := range nodes {
		go io.Copy(io.Discard, node.in) // until the router closes
	}
	sender := dialRaw(b, r)
	const text = "Fake message Num = 1 s=7hx2k.1 t=1225297800000000000"
	message := []byte(" " + strconv.Itoa(len(text)) + "\r\n" + text + "\r\n")
	random := rand.New(rand.NewPCG(1, 2))
	sent := r.varz()
	started := time.Now()
	n := 0
	for b.Loop() {
		sender.out.WriteString("PUB ")
		sender.out.Write(appendSubject(sender.out.AvailableBuffer(), random.Int64N(int64(ids))))
		if _, err := sender.out.Write(message); err != nil {
			b.Fatal(err)
		}
		n++
	}
	sender.flush(b)
	for r.varz().OutMsgs-sent.OutMsgs < int64(n) {
		runtime.Gosched()
	}
	b.ReportMetric(float64(n)/time.Since(started).Seconds(), "msgs/s")
	b.ReportMetric(perID, "B/id")
	b.ReportMetric(0, "ns/op")
}
