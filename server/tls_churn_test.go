package server

import (
	"crypto/tls"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

// cutConn is a socket that ends, by a reset or not, once it has sent this many
// bytes.
type cutConn struct {
	*net.TCPConn
	left  int
	reset bool
}

func (c *cutConn) Write(b []byte) (int, error) {
	n, err := c.TCPConn.Write(b[:min(len(b), c.left)])
	if c.left -= n; c.left == 0 && err == nil {
		if c.reset {
			c.SetLinger(0)
		}
		c.Close()
		err = net.ErrClosed
	}
	return n, err
}

// TestTLSChurn has many clients at once come, and go at any byte of their handshakes
// and requests, while messages go out to whoever has taken their place. Each
// connection is counted once, and each gets its own messages only.
func TestTLSChurn(t *testing.T) {
	bothEngines(t, func(t engineT) {
		r, cfg := startTLS(t, Config{Engine: t.engine})
		const clients, rounds = 8, 40
		var all sync.WaitGroup
		for i := range clients {
			all.Go(func() {
				random := rand.New(rand.NewPCG(uint64(i), 1))
				for range rounds {
					churn(t, r, cfg, int64(i), random)
				}
			})
		}
		all.Wait()
		r.waitForLogins(0)
		r.waitFor("each to be counted", func(s Stats) bool {
			return s.TLSHandshakes+s.TLSHandshakesFailed == clients*rounds && s.Accepted == clients*rounds && s.Connections == 0
		})
	})
}

// churn is one connection of a client.
func churn(t engineT, r *running, cfg *tls.Config, id int64, random *rand.Rand) {
	nc, err := net.Dial("tcp", r.Addr().String())
	if err != nil {
		t.Error(err)
		return
	}
	defer nc.Close()
	whole := random.IntN(3) == 0
	cut := &cutConn{TCPConn: nc.(*net.TCPConn), left: 1 + random.IntN(2500), reset: random.IntN(2) == 0}
	if whole {
		cut.left = 1 << 20
	}
	conn := tls.Client(cut, cfg)
	request := "GET /test/" + strconv.FormatInt(id, 10) + " HTTP/1.1\r\nHost: h\r\n\r\n"
	if _, err := io.WriteString(conn, request); err != nil || !whole {
		return // cut, somewhere
	}
	if _, err := io.ReadFull(conn, make([]byte, len(html11))); err != nil {
		t.Errorf("no head: %v", err)
		return
	}
	message := "for " + strconv.FormatInt(id, 10)
	r.publish(id, message)
	got := make([]byte, len(chunk(1, message)))
	if n, err := io.ReadFull(conn, got); err != nil || string(got) != chunk(1, message) {
		t.Errorf("client %d got %q, %v", id, got[:n], err)
	}
}
