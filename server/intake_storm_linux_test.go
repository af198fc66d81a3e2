package server

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestIntakeStorm: publishers that cut, reset, half-close, do not read and ask for
// pages, all at once. Whatever was taken reaches every stream, in the order of its
// publisher, and once.
func TestIntakeStorm(t *testing.T) {
	const streams, publishers, rounds = 8, 10, 12
	r := start(t, Config{Engine: Epoll, BacklogBytes: 64 << 20})
	var reading, sending sync.WaitGroup
	counts := make([]int, streams)
	for i := range streams {
		c := r.stream("1")
		reading.Go(func() { counts[i] = c.inOrder() })
	}
	for p := range publishers {
		sending.Go(func() {
			random := rand.New(rand.NewPCG(uint64(p), 1))
			for n := 0; n < rounds*1000; n += 1000 {
				r.assault(random, p, n)
			}
		})
	}
	sending.Wait()
	r.stop()
	reading.Wait()
	s := r.Stats()
	if s.Sent == 0 || s.Routed != streams*s.Sent || s.DroppedOverrun+s.DroppedSlow+s.DroppedClosed+s.Unaddressed > 0 {
		t.Errorf("%d messages to %d streams: %+v", s.Sent, streams, s)
	}
	for i, n := range counts {
		if uint64(n) != s.Sent {
			t.Errorf("stream %d got %d of %d messages", i, n, s.Sent)
		}
	}
}

var mark = regexp.MustCompile(`'(\d+) (\d+)'`)

// inOrder reads to the end, and returns how many messages came.
func (c *client) inOrder() (messages int) {
	c.SetDeadline(time.Now().Add(3 * patience))
	last := make(map[string]int) // of each connection to the admin listener
	for lines := bufio.NewScanner(c); lines.Scan(); {
		m := mark.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		messages++
		n, _ := strconv.Atoi(m[2])
		from := fmt.Sprint(m[1], " ", n/1000)
		if before, found := last[from]; found && n <= before {
			c.t.Errorf("of publisher %s %d came behind %d", m[1], n, before)
		}
		last[from] = n
	}
	return messages
}

// assault sends up to 1000 messages, numbered from n, in one of many ways.
func (r *running) assault(random *rand.Rand, p, n int) {
	c := r.publisher()
	defer c.Close()
	var b strings.Builder
	for range 1 + random.IntN(4) {
		switch random.IntN(4) {
		case 0:
			for end := n + random.IntN(100); n < end; n++ {
				b.WriteString(post(1, fmt.Sprintf("%d %d", p, n)))
			}
		case 1:
			b.WriteString("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
		default:
			b.WriteString("POST /send HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
			for end := n + random.IntN(200); n < end; n++ {
				line := fmt.Sprintf("1 %d %d\n", p, n)
				fmt.Fprintf(&b, "%x;x\r\n%s\r\n", len(line), line)
			}
			b.WriteString("0\r\n\r\n")
		}
	}
	all := b.String()
	if random.IntN(3) == 0 {
		all = all[:random.IntN(len(all)+1)]
	}
	for len(all) > 0 {
		piece := min(len(all), 1+random.IntN(8000))
		if _, err := io.WriteString(c, all[:piece]); err != nil {
			return
		}
		all = all[piece:]
	}
	switch random.IntN(4) {
	case 0:
		_ = c.SetLinger(0) // an RST
	case 1:
		// gone without reading
	default:
		_ = c.CloseWrite()
		for answers := bufio.NewReader(c); ; {
			resp, err := http.ReadResponse(answers, nil)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
		}
	}
}
