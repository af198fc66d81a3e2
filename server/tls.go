package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"example.org/comet/server/wire"
)

const (
	// recordBytes is the most plaintext that one TLS record holds (RFC 8446,
	// section 5.1).
	recordBytes = 16 << 10
	// handshakeBytes is the most that is read of a client before its handshake is
	// done, without what it may send of its request head: crypto/tls takes
	// handshake messages of up to 64 KiB.
	handshakeBytes = 128 << 10
)

var (
	// errHandshakeTimeout is a handshake that took longer than a request head may.
	errHandshakeTimeout = errors.New("it was not done in time")
	// errHandshakeCrowded is one that made room for others that waited.
	errHandshakeCrowded = errors.New("it took long while others waited to begin")
)

// tlsConfig loads the certificate of the streams. It returns nil without one.
func (c *Config) tlsConfig() (*tls.Config, error) {
	if c.TLSCertFile == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(c.TLSCertFile, c.TLSKeyFile)
	if err != nil {
		return nil, fmt.Errorf("server: the certificate %s with its key %s: %w; both are PEM files, and the key is that of the first certificate", c.TLSCertFile, c.TLSKeyFile, err)
	}
	return &tls.Config{
		Certificates:           []tls.Certificate{pair},
		MinVersion:             tls.VersionTLS12,
		NextProtos:             []string{"http/1.1", "http/1.0"}, // curl --http1.0 offers the latter alone
		SessionTicketsDisabled: !c.TLSResume,
		// A message is one record, however young its connection is.
		DynamicRecordSizingDisabled: true,
	}, nil
}

// warnOfCertificates logs what has clients refuse the certificates of streams and of
// the admin listener. Those that do not verify would take them.
func (c *core) warnOfCertificates() {
	for _, pair := range [][2]string{{c.TLSCertFile, c.TLSKeyFile}, {c.AdminCertFile, c.AdminKeyFile}} {
		if pair[0] == "" {
			continue
		}
		loaded, err := tls.LoadX509KeyPair(pair[0], pair[1])
		if err != nil {
			continue // the listener says so
		}
		const lasts = time.RFC3339
		switch leaf, now := loaded.Leaf, time.Now(); {
		case now.After(leaf.NotAfter):
			c.Logger.Warn("clients will refuse the certificate: it has expired; renew it", "file", pair[0], "not_after", leaf.NotAfter.Format(lasts))
		case now.Before(leaf.NotBefore):
			c.Logger.Warn("clients will refuse the certificate: it is not valid yet; check the clock", "file", pair[0], "not_before", leaf.NotBefore.Format(lasts))
		case len(leaf.DNSNames)+len(leaf.IPAddresses) == 0:
			c.Logger.Warn("clients will refuse the certificate: it names no host; have one made with subjectAltName", "file", pair[0])
		}
	}
}

// checkTLS reports what is wrong with the fields of TLS.
func (c *Config) checkTLS() error {
	switch {
	case (c.TLSCertFile == "") != (c.TLSKeyFile == ""):
		return errors.New("server: TLS needs a certificate and its key: give --tls-cert and --tls-key")
	case c.TLSResume && c.TLSCertFile == "":
		return errors.New("server: sessions can be resumed with TLS only: give --tls-cert and --tls-key")
	}
	return nil
}

// isPlainHTTP reports whether the first bytes of a connection are those of an HTTP
// request that should have come through TLS.
func isPlainHTTP(b []byte) bool { return len(b) > 0 && 'A' <= b[0] && b[0] <= 'Z' }

// isHello reports whether b begins as a TLS handshake does (RFC 8446, section 5.1).
func isHello(b []byte) bool { return len(b) >= 2 && b[0] == 22 && b[1] == 3 }

// noteRefusedHead logs a TLS handshake that a listener without TLS has refused,
// at most once per second.
func (c *core) noteRefusedHead(head []byte) {
	if c.tls == nil && isHello(head) && c.mayReport(&c.tlsReported) {
		c.Logger.Warn("a client speaks TLS to a listener that does not: give --tls-cert and --tls-key, or have it use http:// or ws://", "listen", c.Listen)
	}
}

// notePlain logs a plain request to a listener with TLS, at most once per second,
// and returns its answer.
func (c *core) notePlain() []byte {
	if c.mayReport(&c.tlsReported) {
		c.Logger.Warn("a client sent a plain HTTP request to a listener that speaks TLS: have it use https:// or wss://", "listen", c.Listen)
	}
	return wire.TLSNeeded.Bytes()
}

// noteHandshake logs a handshake that has failed, at most once per second.
func (c *core) noteHandshake(err error) {
	if !c.mayReport(&c.tlsReported) {
		return
	}
	if remote, ok := errors.AsType[*net.OpError](err); ok && remote.Op == "remote error" {
		c.Logger.Info("a client refused the TLS handshake: see that it trusts the certificate, and calls the server by a name in it; /stats counts them all", "error", err)
		return
	}
	c.Logger.Info("a TLS handshake failed; /stats counts them all", "error", err)
}

// mayReport reports whether a second has passed since the last report at last, in
// ns since started, and claims this moment if so.
func (c *core) mayReport(last *atomic.Int64) bool {
	now := time.Since(c.started).Nanoseconds()
	before := last.Load()
	return (before == 0 || now-before >= int64(time.Second)) && last.CompareAndSwap(before, now)
}
