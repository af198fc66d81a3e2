package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// client is one connection to comet serve, and where its messages are sent to.
type client struct {
	*websocket.Conn
	send string
}

// checks are RFC 6455, sections 5 and 7, as a client of coder/websocket can try
// them.
var checks = []struct {
	name string
	do   func(ctx context.Context, c client) error
}{
	{"a message", receives},
	{"a ping", func(ctx context.Context, c client) error {
		c.CloseRead(ctx)
		return c.Ping(ctx)
	}},
	{"a message in fragments", func(ctx context.Context, c client) error { return says(ctx, c, 3, 5) }},
	{"a long message in fragments", func(ctx context.Context, c client) error { return says(ctx, c, 1000, 70) }},
	{"a ping between fragments", func(ctx context.Context, c client) error {
		reading := c.CloseRead(ctx)
		w, err := c.Writer(reading, websocket.MessageText)
		if err != nil {
			return err
		}
		if _, err := w.Write([]byte("ha")); err != nil {
			return err
		}
		if err := c.Ping(ctx); err != nil {
			return err
		}
		if _, err := w.Write([]byte("lf")); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
		return c.Ping(ctx)
	}},
	{"text that is not UTF-8", func(ctx context.Context, c client) error {
		if err := c.Write(ctx, websocket.MessageText, []byte{'a', 0xff}); err != nil {
			return err
		}
		return closedWith(ctx, c, websocket.StatusInvalidFramePayloadData)
	}},
	{"bytes that are not UTF-8", func(ctx context.Context, c client) error {
		if err := c.Write(ctx, websocket.MessageBinary, []byte{'a', 0xff}); err != nil {
			return err
		}
		return receives(ctx, c)
	}},
	{"close 1000", func(_ context.Context, c client) error { return c.Close(websocket.StatusNormalClosure, "") }},
	{"close 1001", func(_ context.Context, c client) error { return c.Close(websocket.StatusGoingAway, "bye") }},
	{"close 1011", func(_ context.Context, c client) error { return c.Close(websocket.StatusInternalError, "oh") }},
	{"close 3000", func(_ context.Context, c client) error { return c.Close(3000, "") }},
	{"close 4999", func(_ context.Context, c client) error { return c.Close(4999, strings.Repeat("x", 123)) }},
	{"close without a code", func(_ context.Context, c client) error { return c.Close(websocket.StatusNoStatusRcvd, "") }},
}

// dial runs the checks, once without compression and once with each kind of it
// offered, and reports whether all hold.
func dial(url, admin string) bool {
	good := true
	for _, mode := range []websocket.CompressionMode{websocket.CompressionDisabled, websocket.CompressionNoContextTakeover, websocket.CompressionContextTakeover} {
		for _, check := range checks {
			if err := try(url, admin, mode, check.do); err != nil {
				good = false
				fmt.Printf("%s, compression mode %d: %v\n", check.name, mode, err)
			}
		}
	}
	fmt.Printf("%d checks\n", 3*len(checks))
	return good
}

func try(url, admin string, mode websocket.CompressionMode, do func(context.Context, client) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{CompressionMode: mode, Subprotocols: []string{"comet"}})
	if err != nil {
		return err
	}
	defer c.CloseNow()
	return do(ctx, client{c, admin})
}

// receives sends a message to the connection, through the server, and waits for it.
func receives(ctx context.Context, c client) error {
	const text = "Grüße <b>"
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.send, strings.NewReader(text))
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	answer.Body.Close()
	kind, got, err := c.Read(ctx)
	if err == nil && (kind != websocket.MessageText || string(got) != text) {
		err = fmt.Errorf("%v %q came", kind, got)
	}
	return err
}

// says sends a message in fragments, which the server drops, and has one sent
// back after it.
func says(ctx context.Context, c client, pieces, size int) error {
	w, err := c.Writer(ctx, websocket.MessageText)
	if err != nil {
		return err
	}
	// A character of three bytes is cut at every place in time.
	text := strings.Repeat("€", pieces*size/3+1)
	for range pieces {
		if _, err := w.Write([]byte(text[:size])); err != nil {
			return err
		}
		text = text[size:]
	}
	if _, err := w.Write([]byte(text)); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return receives(ctx, c)
}

// closedWith waits for the server to close with a code.
func closedWith(ctx context.Context, c client, want websocket.StatusCode) error {
	_, _, err := c.Read(ctx)
	if got := websocket.CloseStatus(err); got != want {
		return fmt.Errorf("it ended with %v, want the code %d", err, want)
	}
	return nil
}
