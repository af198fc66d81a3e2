package bench

import (
	"crypto/tls"
	"errors"
	"io/fs"
	"os"
	"testing"

	"example.org/comet/server/tlsclient"
)

// TestCertificate: a client that trusts the certificate of a run gets in at each of
// its addresses, and one that does not is refused.
func TestCertificate(t *testing.T) {
	c, err := newCertificate([]string{"127.0.0.1:0", "[::1]:80"})
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conn.(*tls.Conn).Handshake()
			conn.Close()
		}
	}()
	for _, one := range []struct {
		options tlsclient.Options
		name    string
		ok      bool
	}{
		{tlsclient.Options{CAFile: c.certFile}, "127.0.0.1", true},
		{tlsclient.Options{CAFile: c.certFile}, "::1", true},
		{tlsclient.Options{CAFile: c.certFile}, "127.0.0.2", false},
		{tlsclient.Options{}, "127.0.0.1", false},
	} {
		cfg, err := one.options.Config()
		if err != nil {
			t.Fatal(err)
		}
		cfg.ServerName = one.name
		conn, err := tls.Dial("tcp", listener.Addr().String(), cfg)
		if (err == nil) != one.ok {
			t.Errorf("%+v as %s: %v", one.options, one.name, err)
		}
		if conn != nil {
			conn.Close()
		}
	}
	if info, err := os.Stat(c.folder); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("the folder is %v, %v: others can read the key", info.Mode(), err)
	}
	c.remove()
	if _, err := os.Stat(c.keyFile); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the key is still there: %v", err)
	}
	certificate{}.remove()
	if _, err := newCertificate([]string{"nowhere"}); err == nil {
		t.Error("an address that is none is taken")
	}
}
