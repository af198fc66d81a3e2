package tlsclient

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fault is why TLS cannot come about with a server, today or later: a clause that
// names the cause, and then the cure.
type Fault struct {
	clause string
	cause  error
}

func (f *Fault) Error() string { return f.clause }

// Unwrap returns the error of crypto/tls.
func (f *Fault) Unwrap() error { return f.cause }

// Explain returns the fault that err is: of a handshake, or of the first read after
// one, by which TLS 1.3 reports a client's certificate that is missing or refused. It
// returns nil for an error that is none of TLS, or that may pass. scheme is that of
// the URL, https or wss.
func Explain(err error, scheme string) *Fault {
	if fault, ok := errors.AsType[*Fault](err); ok {
		return fault
	}
	clause := ""
	remote, isRemote := errors.AsType[*net.OpError](err)
	switch {
	case err == nil:
	case isA[tls.RecordHeaderError](err):
		clause = fmt.Sprintf("it does not speak TLS there: write %s:// instead of %s://, or name its TLS port", strings.TrimSuffix(scheme, "s"), scheme)
	case isA[*tls.CertificateVerificationError](err):
		clause = explainCertificate(err)
	case isRemote && remote.Op == "remote error":
		clause = explainAlert(remote.Err)
	case strings.Contains(err.Error(), "tls: server selected unsupported protocol version"):
		clause = "it speaks only versions of TLS that are too old, and 1.2 or later is spoken here: have it speak that"
	}
	if clause == "" {
		return nil
	}
	return &Fault{clause, err}
}

func isA[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// unverified ends each clause about a certificate.
const unverified = ", or go on unverified with --insecure"

// explainCertificate explains why a server's certificate was not accepted.
func explainCertificate(err error) string {
	if e, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return explainAuthority(err, e.Cert)
	}
	if e, ok := errors.AsType[x509.HostnameError](err); ok {
		names := slices.Clone(e.Certificate.DNSNames)
		for _, ip := range e.Certificate.IPAddresses {
			names = append(names, ip.String())
		}
		if len(names) == 0 {
			return "its certificate names no host (no subjectAltName): have one made that names " + quote(e.Host) + unverified
		}
		const most = 4
		if more := len(names) - most; more > 0 {
			names = append(names[:most:most], fmt.Sprintf("%d more", more))
		}
		for i, name := range names {
			names[i] = quote(name)
		}
		return "its certificate is for " + strings.Join(names, ", ") + " and not for " + quote(e.Host) + ": name the server as its certificate does" + unverified
	}
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		return explainInvalid(e)
	}
	if isA[x509.SystemRootsError](err) {
		return "its certificate cannot be verified, since this system has no certificates of authorities: install them, give one with --ca FILE" + unverified
	}
	return "its certificate is not accepted (" + quote(err.Error()) + "): have it replaced" + unverified
}

// explainAuthority explains a chain of certificates whose last one nobody here knows.
func explainAuthority(err error, last *x509.Certificate) string {
	verification, _ := errors.AsType[*tls.CertificateVerificationError](err)
	if sent := verification.UnverifiedCertificates; len(sent) > 0 && sent[0].CheckSignature(sent[0].SignatureAlgorithm, sent[0].RawTBSCertificate, sent[0].Signature) == nil {
		return "its certificate is signed by itself: give that certificate with --ca FILE" + unverified
	}
	who := ""
	if last != nil {
		who = " (" + quote(last.Issuer.String()) + ")"
	}
	return "its certificate is signed by an authority that is not known here" + who + ": give that one's certificate with --ca FILE" + unverified
}

func explainInvalid(e x509.CertificateInvalidError) string {
	who, when := "its certificate", time.DateTime+" MST"
	if e.Cert != nil && e.Cert.IsCA {
		who = "a certificate in its chain, " + quote(cmp.Or(e.Cert.Subject.CommonName, e.Cert.Subject.String())) + ","
	}
	switch {
	case e.Reason == x509.Expired && time.Now().Before(e.Cert.NotBefore):
		return who + " is not valid before " + e.Cert.NotBefore.UTC().Format(when) + ": check the clock of this machine, wait" + unverified
	case e.Reason == x509.Expired:
		return who + " expired on " + e.Cert.NotAfter.UTC().Format(when) + ": have it renewed" + unverified
	case e.Reason == x509.IncompatibleUsage:
		return who + " is not for servers: have one made for serverAuth" + unverified
	case e.Reason == x509.NotAuthorizedToSign:
		return "a certificate that signed its own is not that of an authority: have it signed by one" + unverified
	}
	return who + " is not accepted (" + quote(e.Error()) + "): have it replaced" + unverified
}

// explainAlert explains the alert of a server, by its number (RFC 8446, section 6).
func explainAlert(alert error) string {
	number := reflect.ValueOf(alert) // crypto/tls has no exported type for it
	if number.Kind() != reflect.Uint8 {
		return ""
	}
	const show = "give one that the server knows, with --cert FILE and --key FILE"
	said := strings.TrimPrefix(alert.Error(), "tls: ")
	switch number.Uint() {
	case 40: // handshake_failure, which means a missing certificate as well in TLS 1.2
		return "it refused the handshake: it has no cipher in common with this client, or demands a certificate of clients: " + show
	case 42, 43, 46, 48: // bad, unsupported, unknown certificate; unknown CA
		return "it demands a certificate of clients, and refuses the one it got, or that it got none (" + said + "): " + show
	case 44, 45: // revoked, expired
		return "it refuses the client's certificate (" + said + "): " + show
	case 49: // access_denied
		return "it refuses this client (" + said + "): " + show
	case 116: // certificate_required
		return "it demands a certificate of clients: " + show
	case 47, 70, 71: // illegal parameter, protocol version, insufficient security
		return "it refused the handshake (" + said + "): TLS 1.2 and 1.3 are spoken here, see what it takes"
	case 112: // unrecognized_name
		return "it has no certificate for the name in the URL (" + said + "): name the server as its certificate does"
	case 120: // no_application_protocol
		return "it speaks no HTTP/1.1 over TLS, only another protocol such as HTTP/2: name a port that speaks HTTP/1.1"
	}
	return ""
}

// quote returns what a peer said without what would control a terminal, and not all
// of it if it is long.
func quote(text string) string {
	const most = 200
	if len(text) > most {
		text = text[:most] + "…"
	}
	shown := strconv.Quote(text)
	return shown[1 : len(shown)-1]
}
