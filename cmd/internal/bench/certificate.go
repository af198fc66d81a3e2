package bench

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"
)

// certificate is what our own servers show over TLS: made for one run, signed by
// itself, in a folder that only this user can read.
type certificate struct{ folder, certFile, keyFile string }

// newCertificate makes a certificate for the addresses that servers listen on. An
// ECDSA key is what most servers have today.
func newCertificate(listen []string) (c certificate, err error) {
	fail := func(err error) (certificate, error) {
		c.remove()
		return certificate{}, fmt.Errorf("bench: the certificate of the run: %w", err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "comet bench"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}
	for _, text := range listen {
		addr, err := netip.ParseAddrPort(text)
		if err != nil {
			return fail(err)
		}
		template.IPAddresses = append(template.IPAddresses, net.IP(addr.Addr().AsSlice()))
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fail(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		return fail(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fail(err)
	}
	if c.folder, err = os.MkdirTemp("", "comet-bench-"); err != nil {
		return fail(err)
	}
	c.certFile, c.keyFile = filepath.Join(c.folder, "cert.pem"), filepath.Join(c.folder, "key.pem")
	for _, file := range []struct {
		name  string
		block pem.Block
	}{{c.certFile, pem.Block{Type: "CERTIFICATE", Bytes: der}}, {c.keyFile, pem.Block{Type: "PRIVATE KEY", Bytes: private}}} {
		if err := os.WriteFile(file.name, pem.EncodeToMemory(&file.block), 0o600); err != nil {
			return fail(err)
		}
	}
	return c, nil
}

// remove deletes the files. The zero certificate has none.
func (c certificate) remove() {
	if c.folder != "" {
		os.RemoveAll(c.folder)
	}
}
