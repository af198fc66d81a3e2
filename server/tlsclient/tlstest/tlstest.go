// Package tlstest makes certificates for tests.
package tlstest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Pair is a certificate, its key, and the PEM files of both.
type Pair struct {
	tls.Certificate
	CertFile, KeyFile string
}

// New makes a certificate for localhost and 127.0.0.1, valid for an hour, signed by
// parent or, without one, by itself. Its files are removed with the test.
func New(tb testing.TB, parent *Pair, changes ...func(*x509.Certificate)) *Pair {
	tb.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "localhost"},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	for _, change := range changes {
		change(template)
	}
	signer, signed := any(private), template
	var chain [][]byte
	if parent != nil {
		signer, signed, chain = parent.PrivateKey, parent.Leaf, parent.Certificate.Certificate
	}
	der, err := x509.CreateCertificate(rand.Reader, template, signed, &private.PublicKey, signer)
	if err != nil {
		tb.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		tb.Fatal(err)
	}
	dir := tb.TempDir()
	p := &Pair{
		Certificate: tls.Certificate{Certificate: append([][]byte{der}, chain...), PrivateKey: private, Leaf: leaf},
		CertFile:    filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem"),
	}
	err = errors.Join(
		os.WriteFile(p.CertFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(p.KeyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600))
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// Authority makes a certificate that of an authority, for New.
func Authority(c *x509.Certificate) {
	c.Subject, c.DNSNames, c.IPAddresses = pkix.Name{CommonName: "Test CA"}, nil, nil
	c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
}

// Expired makes a certificate one that was valid until a minute ago, for New.
func Expired(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }

// Early makes a certificate one that will be valid in a minute, for New.
func Early(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }

// Demand has a server demand certificates signed by ca of its clients.
func Demand(c *tls.Config, ca *Pair) {
	c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
	c.ClientCAs.AddCert(ca.Leaf)
}
