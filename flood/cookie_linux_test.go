package flood

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// TestReconnectKeepsCookies of each connection apart, whatever answer set them, so
// that a load balancer finds its server again.
func TestReconnectKeepsCookies(t *testing.T) {
	for name, c := range map[string]struct {
		protocol Protocol
		answer   func(conn *net.TCPConn, r *http.Request, set string)
	}{
		"a stream": {Auto, func(conn *net.TCPConn, _ *http.Request, set string) {
			say(conn, strings.Replace(chunkedHead, "\r\n", "\r\n"+set, 1))
		}},
		"events": {SSE, func(conn *net.TCPConn, _ *http.Request, set string) {
			say(conn, strings.Replace(eventsHead, "\r\n", "\r\n"+set, 1)+"id: seven\ndata: x\n\n")
		}},
		"a refusal": {Auto, func(conn *net.TCPConn, _ *http.Request, set string) {
			say(conn, "HTTP/1.1 503 Service Unavailable\r\n"+set+"Content-Length: 0\r\n\r\n")
		}},
		"a WebSocket": {WebSocket, func(conn *net.TCPConn, r *http.Request, set string) { upgrade(conn, r, set) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const conns = 4
			var mu sync.Mutex
			back := map[string]string{}
			srv := serve(t, func(conn *net.TCPConn, r *http.Request) {
				if cookie := r.Header.Get("Cookie"); cookie != "" {
					mu.Lock()
					back[r.URL.Path] = cookie
					mu.Unlock()
					c.answer(conn, r, "")
					hold(conn)
					return
				}
				c.answer(conn, r, "Set-Cookie: node="+r.URL.Path[1:]+"; Path=/elsewhere\r\n")
			})
			cfg := Config{URL: srv.url("/{id}"), Protocol: c.protocol, Connections: conns, Behavior: Behavior{Reconnect: quick}}
			r := flooded(t, engines()[0], cfg, func(Counts) bool {
				mu.Lock()
				defer mu.Unlock()
				return len(back) == conns
			})
			mu.Lock()
			defer mu.Unlock()
			if want := "map[/1:node=1 /2:node=2 /3:node=3 /4:node=4]"; fmt.Sprint(back) != want {
				t.Errorf("%v came back, want %s; %s", back, want, r.Explanation)
			}
		})
	}
}
