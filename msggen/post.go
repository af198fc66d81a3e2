package msggen

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Post sends one message to id, `POST /send/{id}`, and returns how many
// connections it was queued to. Unlike an [HTTPSender] it carries any bytes.
// The URL may be written with or without /send. With Events it is `POST /event/{id}`,
// to the followers of id.
func Post(ctx context.Context, config HTTPConfig, id int64, message []byte) (reached uint64, err error) {
	target, err := parseURL(config.URL)
	if err != nil {
		return 0, fmt.Errorf("msggen: %w", err)
	}
	timeout := config.AnswerTimeout
	if timeout == 0 {
		timeout = DefaultAnswerTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if config.Events {
		target = target.JoinPath("..", "event")
	}
	target = target.JoinPath(strconv.FormatInt(id, 10))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(message))
	if err != nil {
		return 0, fmt.Errorf("msggen: cannot post to %s: %w", target, err)
	}
	transport, client := newClient(config.TLS)
	defer transport.CloseIdleConnections()
	var counts struct {
		Reached *uint64 `json:"reached"`
	}
	if err := post(client, req, "text/plain; charset=utf-8", config.Token, &counts); err != nil {
		return 0, err
	}
	if counts.Reached == nil {
		return 0, notComet(req, `its answer has no "reached"`)
	}
	return *counts.Reached, nil
}

// newClient returns a client without what would get between a generator and its
// server: a proxy, compression, redirects (a body that was read is gone),
// HTTP/2 (whose frames would be flushed at other moments).
func newClient(secure *tls.Config) (*http.Transport, *http.Client) {
	dialer := net.Dialer{Timeout: 5 * time.Second}
	transport := &http.Transport{
		DialContext:         dialer.DialContext,
		TLSClientConfig:     secure.Clone(),
		TLSHandshakeTimeout: 5 * time.Second,
		DisableCompression:  true,
		MaxIdleConns:        1,
		Protocols:           new(http.Protocols),
	}
	transport.Protocols.SetHTTP1(true)
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return transport, client
}

// post sends req and decodes its answer into counts.
func post(client *http.Client, req *http.Request, contentType, token string, counts any) error {
	setHeader(req, contentType, token)
	resp, err := client.Do(req)
	if err != nil {
		return unreachable(req, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return unreachable(req, err)
	}
	return decode(req, resp, text, counts)
}
