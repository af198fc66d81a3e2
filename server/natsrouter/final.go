//go:build !nonats

package natsrouter

import (
	"crypto/tls"
	"errors"
	"net"

	"github.com/nats-io/nats.go"
)

// finalErrors are those of nats.go after which a person must act: give other
// credentials, turn TLS on or off, or correct the address.
var finalErrors = []error{
	nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked, nats.ErrAccountAuthExpired,
	nats.ErrSecureConnWanted, nats.ErrSecureConnRequired, nats.ErrTLS, nats.ErrNoInfoReceived,
}

// final reports whether a failure to connect lasts until a person does something
// about it. A server that is not there, or says nothing, may come back by itself.
func final(err error) bool {
	if netErr, ok := errors.AsType[net.Error](err); ok && netErr.Timeout() {
		return false
	}
	if _, untrusted := errors.AsType[*tls.CertificateVerificationError](err); untrusted {
		return true
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" {
		return true // a TLS alert: the server does not take our certificate
	}
	for _, known := range finalErrors {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}
