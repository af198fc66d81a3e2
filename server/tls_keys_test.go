package server

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"io"
	"strings"
	"testing"
	"time"
)

// sealer makes the records of a client with TLS_AES_128_GCM_SHA256 after the
// handshake, KeyUpdates among them, which crypto/tls does not send (RFC 8446,
// sections 5.2 and 7.2).
type sealer struct {
	t      testing.TB
	secret []byte
	aead   cipher.AEAD
	iv     []byte
	seq    uint64
}

// newSealer takes the secret from what crypto/tls wrote to a KeyLogWriter.
func newSealer(tb testing.TB, keyLog string) *sealer {
	tb.Helper()
	_, line, _ := strings.Cut(keyLog, "CLIENT_TRAFFIC_SECRET_0 ")
	secret, err := hex.DecodeString(strings.Fields(line)[1])
	if err != nil {
		tb.Fatal(err)
	}
	s := &sealer{t: tb}
	s.use(secret)
	return s
}

func (s *sealer) expand(label string, length int) []byte {
	s.t.Helper()
	info := binary.BigEndian.AppendUint16(nil, uint16(length))
	info = append(info, byte(len("tls13 "+label)))
	info = append(append(info, "tls13 "+label...), 0)
	key, err := hkdf.Expand(sha256.New, s.secret, string(info), length)
	if err != nil {
		s.t.Fatal(err)
	}
	return key
}

func (s *sealer) use(secret []byte) {
	s.t.Helper()
	s.secret, s.seq = secret, 0
	block, err := aes.NewCipher(s.expand("key", 16))
	if err != nil {
		s.t.Fatal(err)
	}
	if s.aead, err = cipher.NewGCM(block); err != nil {
		s.t.Fatal(err)
	}
	s.iv = s.expand("iv", 12)
}

// appendRecord appends a record of this type and content.
func (s *sealer) appendRecord(b []byte, kind byte, content string) []byte {
	header := binary.BigEndian.AppendUint16([]byte{23, 3, 3}, uint16(len(content)+1+s.aead.Overhead()))
	nonce := bytes.Clone(s.iv)
	for i := range 8 {
		nonce[4+i] ^= byte(s.seq >> (56 - 8*i))
	}
	s.seq++
	return s.aead.Seal(append(b, header...), nonce, append([]byte(content), kind), header)
}

// appendKeyUpdate appends a KeyUpdate that asks for one in return.
func (s *sealer) appendKeyUpdate(b []byte) []byte {
	s.t.Helper()
	b = s.appendRecord(b, 22, "\x18\x00\x00\x01\x01")
	s.use(s.expand("traffic upd", 32))
	return b
}

// keyUpdates opens a stream whose client has its keys updated, and returns both its
// ways to send.
func (r *running) keyUpdates(cfg *tls.Config, readBuffer int) (*tls.Conn, *client, *sealer) {
	r.t.Helper()
	var log strings.Builder
	cfg = cfg.Clone()
	cfg.KeyLogWriter = &log
	socket := r.dial()
	if readBuffer > 0 {
		socket.SetReadBuffer(readBuffer)
	}
	conn := tls.Client(socket.TCPConn, cfg)
	if err := conn.Handshake(); err != nil {
		r.t.Fatal(err)
	}
	if suite := conn.ConnectionState().CipherSuite; suite != tls.TLS_AES_128_GCM_SHA256 {
		r.t.Skipf("this machine prefers %s", tls.CipherSuiteName(suite))
	}
	return conn, socket, newSealer(r.t, log.String())
}

// TestTLSKeyUpdates has clients that have keys updated: before their request, in its
// middle, and behind it, cut into any pieces.
func TestTLSKeyUpdates(t *testing.T) {
	bothEngines(t, func(t engineT) {
		r, cfg := startTLS(t, Config{Engine: t.engine})
		for _, size := range []int{1 << 20, 11, 1} {
			conn, socket, seal := r.keyUpdates(cfg, 0)
			sent := seal.appendKeyUpdate(nil)
			sent = seal.appendRecord(sent, 23, "GET /test/1 HTTP/1.1\r\n")
			sent = seal.appendKeyUpdate(sent)
			sent = seal.appendRecord(sent, 23, "Host: h\r\n\r\n")
			sent = seal.appendKeyUpdate(seal.appendKeyUpdate(sent))
			if _, err := (pieces{socket.TCPConn, size}).Write(sent); err != nil {
				t.Fatal(err)
			}
			r.waitForLogins(1)
			r.publish(1, "a")
			want := html11 + chunk(1, "a")
			got := make([]byte, len(want))
			if n, err := io.ReadFull(conn, got); err != nil || string(got) != want {
				t.Errorf("in pieces of %d: %q, %v", size, got[:n], err)
			}
			socket.Close()
			r.waitForLogins(0)
		}
	})
}

// TestTLSKeyUpdateFlood has a client that has keys updated without an end and reads
// nothing. What it is owed must not pile up: the epoll engine ends it, and the other
// reads no more.
func TestTLSKeyUpdateFlood(t *testing.T) {
	t.Parallel()
	bothEngines(t, func(t engineT) {
		r, cfg := startTLS(t, Config{Engine: t.engine})
		_, socket, seal := r.keyUpdates(cfg, 4096)
		socket.send(string(seal.appendRecord(nil, 23, "GET /test/1 HTTP/1.1\r\nHost: h\r\n\r\n")))
		r.waitForLogins(1)
		const most = 1_000_000
		sent := 0
		for ; sent < most; sent += 100 {
			var b []byte
			for range 100 {
				b = seal.appendRecord(seal.appendKeyUpdate(b), 23, "z") // crypto/tls minds updates in a row
			}
			if t.engine == Goroutine { // nothing else ends it
				socket.SetWriteDeadline(time.Now().Add(2 * time.Second))
			}
			if _, err := socket.Write(b); err != nil {
				break
			}
		}
		if sent == most {
			t.Fatal("the server takes any number of KeyUpdates")
		}
		t.Logf("after %d KeyUpdates", sent)
		if t.engine == Epoll {
			r.waitFor("the end", func(s Stats) bool { return s.Disconnected == 1 && s.Logins == 0 })
		}
	})
}
