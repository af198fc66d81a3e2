// Package tlsclient is how the tools verify a TLS server and show it who they are,
// and why that failed:
//
//	cfg, err := tlsclient.Options{CAFile: "ca.pem"}.Config()
//	if err != nil { … }
//	conn, err := tls.Dial("tcp", "push.example.org:443", cfg)
//	if fault := tlsclient.Explain(err, "https"); fault != nil { … }
package tlsclient

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// Options is the four settings of a client's TLS. The zero value verifies servers by
// the authorities of the system, and has no certificate of its own.
type Options struct {
	// CAFile (PEM) holds the authorities to trust, instead of those of the system.
	// A server's own certificate will do.
	CAFile string
	// Insecure takes any certificate.
	Insecure bool
	// CertFile and KeyFile (PEM) are the client's certificate, for servers that
	// demand one, and its key.
	CertFile, KeyFile string
}

// Config reads the files and returns the settings for crypto/tls: TLS 1.2 or later,
// and HTTP/1.1. The errors are sentences for the caller to wrap.
func (o Options) Config() (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, InsecureSkipVerify: o.Insecure} //nolint:gosec // asked for
	switch {
	case o.Insecure && o.CAFile != "":
		return nil, errors.New("--ca says which servers to trust, and --insecure to trust any: give one of them")
	case (o.CertFile == "") != (o.KeyFile == ""):
		return nil, errors.New("a client's certificate goes with its key: give both --cert and --key")
	}
	if o.CAFile != "" {
		text, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("cannot read the authorities of --ca: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("--ca %s has no certificate in it: give a PEM file, which has lines that read -----BEGIN CERTIFICATE-----", o.CAFile)
		}
	}
	if o.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("cannot use the client's certificate %s with its key %s: %w; both are PEM files, and the key is that of the first certificate", o.CertFile, o.KeyFile, err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}
