package wire

import "strings"

// The example of RFC 6455, section 1.3.
const (
	exampleKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	exampleAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

const switching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + exampleAccept + "\r\n\r\n"

func handshake(fields ...string) string {
	return get("/ws/7", append([]string{"Upgrade: websocket", "Connection: Upgrade"}, fields...)...)
}

func upgradeCases() []headCase {
	const key, version = "Sec-WebSocket-Key: " + exampleKey, "Sec-WebSocket-Version: 13"
	stream := func(name, in string) headCase {
		return headCase{name: name, in: in, kind: WebSocket, ids: []int64{7}, answer: []byte(switching)}
	}
	named := func(name, protocol string, fields ...string) headCase {
		c := stream(name, handshake(append(fields, key, version)...))
		c.answer = []byte(strings.TrimSuffix(switching, crlf) + "Sec-WebSocket-Protocol: " + protocol + crlf + crlf)
		return c
	}
	return []headCase{
		stream("ws", handshake(key, version)),
		stream("ws as Firefox asks", get("/ws/7?x", "Connection: keep-alive, Upgrade", "Upgrade: WebSocket", version, key, "Sec-WebSocket-Extensions: permessage-deflate", "Origin: http://x")),
		stream("ws with bare line feeds", strings.ReplaceAll(handshake(key, version), "\r\n", "\n")),
		stream("ws with a line over 4 KiB", handshake(key, version, "Cookie: "+strings.Repeat("c", 5000))),
		{name: "ws by plain GET", in: get("/ws/7"), answer: UpgradeNeeded.whole},
		{name: "ws with another upgrade", in: get("/ws/7", "Upgrade: h2c", "Connection: Upgrade", key, version), answer: UpgradeNeeded.whole},
		{name: "ws without connection", in: get("/ws/7", "Upgrade: websocket", key, version), answer: UpgradeNeeded.whole},
		{name: "ws of version 8", in: handshake(key, "Sec-WebSocket-Version: 8"), answer: UpgradeNeeded.whole},
		{name: "ws without version", in: handshake(key), answer: BadUpgrade.whole},
		{name: "ws without key", in: handshake(version), answer: BadUpgrade.whole},
		{name: "ws with a short key", in: handshake("Sec-WebSocket-Key: abc", version), answer: BadUpgrade.whole},
		{name: "ws without host", in: strings.Replace(handshake(key, version), "Host: h\r\n", "", 1), answer: BadHost.whole},
		{name: "ws by HTTP/1.0", in: strings.Replace(handshake(key, version), "HTTP/1.1", "HTTP/1.0", 1), answer: UpgradeTooOld.whole},
		{name: "ws with two keys", in: handshake(key, key, version), answer: BadUpgrade.whole},
		{name: "ws with two versions", in: handshake(key, version, version), answer: BadUpgrade.whole},
		{name: "ws with a key that is no base64", in: handshake("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ!==", version), answer: BadUpgrade.whole},
		{name: "ws with a body", in: handshake(key, version, "Content-Length: 1"), answer: BadUpgrade.whole},
		stream("ws with an empty body", handshake(key, version, "Content-Length: 0")),
		stream("ws with fields in several lines", get("/ws/7", "Connection: keep-alive", "connection: UPGRADE", "Upgrade: h2c", "upgrade: WebSocket", version, key)),
		stream("ws with 9 KB of cookies", handshake(key, version, "Cookie: "+strings.Repeat("c=0123456789; ", 700))),
		named("ws with a subprotocol", "chat", "Sec-WebSocket-Protocol: chat"),
		named("ws with several subprotocols", "chat", "Sec-WebSocket-Protocol: chat, superchat"),
		named("ws with subprotocols in several lines", "v2.chat", "Sec-WebSocket-Protocol: v2.chat", "sec-websocket-protocol: v1"),
		named("ws with holes in its subprotocols", "chat", "Sec-WebSocket-Protocol: , chat,, v2,"),
		named("ws with an empty line of subprotocols", "chat", "Sec-WebSocket-Protocol:", "Sec-WebSocket-Protocol: chat"),
		stream("ws with no subprotocol in its field", handshake(key, version, "Sec-WebSocket-Protocol:")),
		{name: "ws with a subprotocol that is no token", in: handshake(key, version, "Sec-WebSocket-Protocol: a b"), answer: BadUpgrade.whole},
		{name: "ws with a second subprotocol that is no token", in: handshake(key, version, `Sec-WebSocket-Protocol: a, "b"`), answer: BadUpgrade.whole},
	}
}
