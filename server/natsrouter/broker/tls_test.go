//go:build !nonats

package broker

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.org/comet/server/natsrouter"
)

// authority signs certificates of a test.
type authority struct {
	folder string
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	file   string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{folder: t.TempDir()}
	a.cert, a.key, a.file, _ = a.sign(t, "ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

// sign makes a certificate and its key, and writes both.
func (a *authority) sign(t *testing.T, name string, template *x509.Certificate) (cert *x509.Certificate, key *ecdsa.PrivateKey, certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.Subject = pkix.Name{CommonName: name}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, parentKey := a.cert, a.key
	if parent == nil {
		parent, parentKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		t.Fatal(err)
	}
	if cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(a.folder, name+".pem"), filepath.Join(a.folder, name+".key")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key, certFile, keyFile
}

func (a *authority) leaf(t *testing.T, name string) (certFile, keyFile string) {
	t.Helper()
	_, _, certFile, keyFile = a.sign(t, name, &x509.Certificate{
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	return certFile, keyFile
}

func TestTLS(t *testing.T) {
	ca, others := newAuthority(t), newAuthority(t)
	serverCert, serverKey := ca.leaf(t, "server")
	clientCert, clientKey := ca.leaf(t, "client")
	otherCert, otherKey := others.leaf(t, "other")
	open := runRouter(t, Config{CertFile: serverCert, KeyFile: serverKey})
	strict := runRouter(t, Config{CertFile: serverCert, KeyFile: serverKey, CAFile: ca.file, Credentials: "a:b"})
	for _, c := range []struct {
		name    string
		router  running
		servers natsrouter.Servers
		ok      bool
	}{
		{"the authority is known", open, natsrouter.Servers{CAFile: ca.file}, true},
		{"the authority is not known", open, natsrouter.Servers{}, false},
		{"another authority", open, natsrouter.Servers{CAFile: others.file}, false},
		{"everything", strict, natsrouter.Servers{CAFile: ca.file, CertFile: clientCert, KeyFile: clientKey, Credentials: "a:b"}, true},
		{"no credentials", strict, natsrouter.Servers{CAFile: ca.file, CertFile: clientCert, KeyFile: clientKey}, false},
		{"no certificate", strict, natsrouter.Servers{CAFile: ca.file, Credentials: "a:b"}, false},
		{"a certificate of another authority", strict, natsrouter.Servers{CAFile: ca.file, CertFile: otherCert, KeyFile: otherKey, Credentials: "a:b"}, false},
	} {
		if !strings.HasPrefix(c.router.URL(), "tls://") {
			t.Errorf("URL %s", c.router.URL())
		}
		c.servers.URLs = []string{c.router.URL()}
		conn, err := connect(c.servers)
		if err == nil {
			sendReport(t, conn, NodeRow{Name: "n"})
			untilTrue(t, "the router hears its nodes", func() bool { return c.router.Stats().NodesConnected == 1 })
			conn.Close()
		}
		if (err == nil) != c.ok {
			t.Errorf("%s: error %v", c.name, err)
		}
	}

	if r, err := New(Config{CertFile: serverCert, KeyFile: serverKey, CAFile: serverKey}); err == nil || !strings.Contains(err.Error(), "no certificate (PEM) is in") {
		if err == nil {
			r.Close()
		}
		t.Errorf("authorities without a certificate: %v", err)
	}
}

func TestClusterTLS(t *testing.T) {
	ca := newAuthority(t)
	cert, key := ca.leaf(t, "router")
	runCluster(t, 2, func(c *Config) {
		c.CertFile, c.KeyFile, c.CAFile, c.Credentials = cert, key, ca.file, "user:password"
	})
}
