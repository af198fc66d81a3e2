//go:build !nonats

package broker

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"
)

// slowClient subscribes and does not read; publish sends it a message of 64 KiB.
func slowClient(t *testing.T, r running) (slow *rawNode, publish func()) {
	t.Helper()
	slow = dialRaw(t, r.Broker)
	fmt.Fprint(slow.out, "SUB comet.msg.0.1 1\r\n")
	slow.flush(t)
	sender := r.dial(t, "sender")
	message := bytes.Repeat([]byte("x"), 64<<10)
	return slow, func() {
		if err := sender.Publish("comet.msg.0.1", message); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWaitsForClient: a client that lags by far more than its socket
// holds, and less than the default of MaxPending, loses nothing.
func TestWaitsForClient(t *testing.T) {
	r := runRouter(t, Config{})
	slow, publish := slowClient(t, r)
	const n = 500 // 31 MiB
	for range n {
		publish()
	}
	untilTrue(t, "all are in the router", func() bool { return r.Stats().MessagesIn == n })
	for i := range n {
		head, err := slow.in.ReadSlice('\n')
		if string(head) == "PING\r\n" {
			head, err = slow.in.ReadSlice('\n')
		}
		if err != nil || string(head) != "MSG comet.msg.0.1 1 65536\r\n" {
			t.Fatalf("message %d: %q, %v", i+1, head, err)
		}
		if _, err := slow.in.Discard(64<<10 + 2); err != nil {
			t.Fatal(err)
		}
	}
	if s := r.Stats(); s.SlowConsumers != 0 {
		t.Errorf("%d slow consumers", s.SlowConsumers)
	}
}

// TestCutsClient: one that lags by more is cut off, which is counted and
// said, and the others do not notice.
func TestCutsClient(t *testing.T) {
	var log logText
	r := runRouter(t, Config{MaxPending: 4 << 20, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	_, publish := slowClient(t, r)
	other := r.dial(t, "other")
	var got atomic.Int64
	if _, err := other.Subscribe("comet.msg.0.1", func(*nats.Msg) { got.Add(1) }); err != nil {
		t.Fatal(err)
	}
	if err := other.Flush(); err != nil {
		t.Fatal(err)
	}
	sent := int64(0)
	untilTrue(t, "the slow client is cut off", func() bool {
		publish()
		sent++
		return r.Stats().SlowConsumers == 1
	})
	untilTrue(t, "it is said", func() bool { return strings.Contains(log.String(), "did not read fast enough") })
	untilTrue(t, "the other has all", func() bool { return got.Load() == sent })
}
