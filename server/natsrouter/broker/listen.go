//go:build !nonats

package broker

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
	"unicode"

	"example.org/comet/server/neterr"
)

// infoTimeout is how long the process that holds our address has to show that it
// is a NATS server, which speaks first.
const infoTimeout = time.Second

// tryListen returns why the clients' address cannot be opened, nil if it can.
func (c Config) tryListen() error {
	ln, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", c.Listen)
	if err != nil {
		return c.listenError("router", "--listen", c.Listen, err)
	}
	return ln.Close()
}

// listenError explains the failures that people meet.
func (c Config) listenError(what, flag, address string, err error) error {
	var hint string
	switch {
	case neterr.IsAddrInUse(err) && flag == "--listen":
		if url, who, ok := askNATS(address); ok {
			return fmt.Errorf("broker: another NATS server (%s) listens on %s: use it as it is, with `comet serve --router %s`; or choose another %s: %w", who, address, url, flag, err)
		}
		fallthrough
	case neterr.IsAddrInUse(err):
		hint = fmt.Sprintf(": another program listens there (see `ss -ltnp`); choose another %s, or port 0 for a free one", flag)
	case neterr.IsAddrNotAvail(err):
		hint = ": this machine has no such address"
	case errors.Is(err, os.ErrPermission):
		hint = ": ports below 1024 need root or CAP_NET_BIND_SERVICE"
	}
	return fmt.Errorf("broker: cannot open the %s on %s: %w%s", what, address, err, hint)
}

// natsInfo is what a NATS server sends first to whoever connects
// (https://docs.nats.io/reference/reference-protocols/nats-protocol).
type natsInfo struct {
	ID       string `json:"server_id"`
	Name     string `json:"server_name"`
	Version  string `json:"version"`
	Auth     bool   `json:"auth_required"`
	Required bool   `json:"tls_required"`
}

// askNATS reports whether a NATS server listens on address, and which.
func askNATS(address string) (url, who string, ok bool) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", "", false
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		address = net.JoinHostPort("127.0.0.1", port)
	}
	ctx, cancel := context.WithTimeout(context.Background(), infoTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return "", "", false
	}
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(infoTimeout))
	line, err := bufio.NewReaderSize(conn, 32<<10).ReadSlice('\n')
	if err != nil {
		return "", "", false
	}
	info, ok := parseInfo(line)
	if !ok {
		return "", "", false
	}
	url, who = "nats://"+address, fmt.Sprintf("nats-server %s, name %s", printable(info.Version), printable(info.Name))
	if info.Required {
		url = "tls://" + address
	}
	if info.Auth {
		who += ", which wants credentials"
	}
	return url, who, true
}

// parseInfo reads the first line of a NATS server.
func parseInfo(line []byte) (info natsInfo, ok bool) {
	text, ok := bytes.CutPrefix(line, []byte("INFO "))
	if !ok || json.Unmarshal(text, &info) != nil {
		return natsInfo{}, false
	}
	return info, info.ID != "" && info.Version != ""
}

// printable returns text from outside, fit for a sentence.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) {
			return r
		}
		return -1
	}, text)
	if runes := []rune(text); len(runes) > 80 {
		text = string(runes[:80]) + "…"
	}
	return text
}
