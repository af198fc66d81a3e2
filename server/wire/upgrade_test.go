package wire

import (
	"strings"
	"testing"
)

func TestHandshakeCheck(t *testing.T) {
	h := Handshake{Key: [16]byte([]byte("the sample nonce"))}
	if got := string(h.AppendFields(nil)); !strings.Contains(got, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n") {
		t.Errorf("the RFC's key is not in %q", got)
	}
	named := h
	named.Subprotocols = []string{"a", "b"}
	if got := string(named.AppendFields(nil)); !strings.HasSuffix(got, "\r\nSec-WebSocket-Protocol: a, b\r\n") {
		t.Errorf("the subprotocols are not in %q", got)
	}
	const accept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" // RFC 6455, section 1.3
	const upgrade = "Upgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"
	for _, test := range []struct {
		name   string
		h      *Handshake
		fields string
		want   string // in the error; "" for none
	}{
		{"the RFC's answer", &h, upgrade + accept, ""},
		{"folded and blank", &h, "upgrade :\r\n websocket\r\nCONNECTION:upgrade\r\n" + accept, ""},
		{"an interim answer first", &h, "Link: x\r\n\r\nHTTP/1.1 101 OK\r\n" + upgrade + accept, ""},
		{"of the interim answer only", &h, upgrade + accept + "\r\nHTTP/1.1 101 OK\r\n", "Upgrade: websocket"},
		{"no Upgrade", &h, "Connection: Upgrade\r\n" + accept, "Upgrade: websocket"},
		{"another protocol", &h, "Upgrade: h2c\r\nConnection: Upgrade\r\n" + accept, "Upgrade: websocket"},
		{"no Connection", &h, "Upgrade: websocket\r\n" + accept, "Connection: Upgrade"},
		{"no Accept", &h, upgrade, "Sec-WebSocket-Accept"},
		{"two", &h, upgrade + accept + accept, "Sec-WebSocket-Accept"},
		{"of another key", &h, upgrade + "Sec-WebSocket-Accept: HSmrc0sMlYUkAGmm5OPpG2HaGWk=\r\n", "cache"},
		{"compression forced", &h, upgrade + accept + "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n", "permessage-deflate"},
		{"an empty list of extensions", &h, upgrade + accept + "Sec-WebSocket-Extensions:\r\n", ""},
		{"a subprotocol not offered", &h, upgrade + accept + "Sec-WebSocket-Protocol: chat\r\n", `"chat"`},
		{"one of those offered", &named, upgrade + accept + "Sec-WebSocket-Protocol: b\r\n", ""},
		{"another one", &named, upgrade + accept + "Sec-WebSocket-Protocol: B\r\n", `"B"`},
		{"none of those offered", &named, upgrade + accept, "none of the subprotocols"},
		{"two of them", &named, upgrade + accept + "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b\r\n", "subprotocol"},
	} {
		err := test.h.Check([]byte("HTTP/1.1 101 Switching Protocols\r\n" + test.fields + "\r\n"))
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
}

func TestCheckAllocatesNothing(t *testing.T) {
	h := Handshake{Key: [16]byte([]byte("the sample nonce"))}
	head := []byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
	if n := testing.AllocsPerRun(100, func() {
		if err := h.Check(head); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations for each answer", n)
	}
}
