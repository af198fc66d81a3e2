package flags

import (
	"crypto/tls"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"example.org/comet/server/tlsclient"
)

// ClientTLSFlags returns the flags of [ClientTLS].
func ClientTLSFlags() []string { return []string{"ca", "insecure", "cert", "key"} }

// ClientTLS adds the flags of how a client verifies servers over TLS, and shows them
// who it is.
func ClientTLS(fs *pflag.FlagSet, o *tlsclient.Options) {
	String(fs, &o.CAFile, "ca", "", "", "for https: PEM `file` with the authorities to trust, instead of the system's")
	fs.BoolVar(&o.Insecure, "insecure", false, "for https: take any certificate")
	String(fs, &o.CertFile, "cert", "", "", "for https: PEM `file` with a client certificate, where the server demands one")
	String(fs, &o.KeyFile, "key", "", "", "for https: PEM `file` with its key")
}

// ClientConfig reads the files of [ClientTLS] for the URL of a flag. It refuses them
// for one that is not https or wss.
func ClientConfig(fs *pflag.FlagSet, o tlsclient.Options, flag, url string) (*tls.Config, error) {
	scheme, _, _ := strings.Cut(strings.ToLower(url), "://")
	if name := FirstGiven(fs, ClientTLSFlags()...); name != "" && scheme != "https" && scheme != "wss" {
		return nil, fmt.Errorf("--%s is for https, and --%s is %s: write https:// there, or leave --%s out", name, flag, url, name)
	}
	return o.Config()
}
