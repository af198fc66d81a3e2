package flood_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"time"

	"example.org/comet/flood"
	"example.org/comet/server/wire"
)

// Twenty connections to a server that sends each of them three messages, and
// forgets one.
func Example() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, n := range []uint64{1, 2, 4} {
			_, _ = w.Write(wire.AppendStamped(nil, n, wire.Stamp{Run: 1, Sequence: 1, N: n, Due: time.Now().UnixNano()}))
			_ = http.NewResponseController(w).Flush() // each message is a chunk
		}
		<-r.Context().Done()
	}))
	defer server.Close()

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	f, err := flood.New(flood.Config{
		URL:            "http://" + server.Listener.Addr().(*net.TCPAddr).String() + "/test/{id}",
		Connections:    20,
		SampleInterval: 10 * time.Millisecond,
		OnSample: func(s flood.Sample) {
			if s.Delivered == 60 {
				cancel()
			}
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := f.Run(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%d connected, %d delivered, %d missing\n", result.Established(), result.Delivered, result.Missing)
	fmt.Println("latency known:", result.Latency.Count == 60)
	// Output:
	// 20 connected, 60 delivered, 20 missing
	// latency known: true
}
