package flags

import (
	"fmt"
	"net"

	"github.com/spf13/pflag"
)

// Metrics is the flags of a run that is watched while it goes on.
type Metrics struct {
	// Address is where the live page and /metrics are, "" for nowhere.
	Address string
	// Token is what they demand off loopback, once Complete has read it.
	Token string
	// File is where Token comes from.
	File Secret
}

// Bind adds the flags.
func (m *Metrics) Bind(fs *pflag.FlagSet) {
	m.bindAddress(fs)
	Group(fs, Output, func() {
		m.File.adminToken(fs, "`file` with the token that --metrics demands off loopback")
	})
}

// bindAddress adds --metrics, to a command that has --admin-token-file already.
func (m *Metrics) bindAddress(fs *pflag.FlagSet) {
	Group(fs, Output, func() {
		bind(fs, &m.Address, "metrics", "", "", "`address` of a page to watch the run on, with /metrics beside it, such as 127.0.0.1:9100; off loopback it demands a token", kind[string]{
			name: "string",
			parse: func(s string) (string, error) {
				if _, _, err := net.SplitHostPort(s); err != nil {
					return "", fmt.Errorf("%q is not an address: write host:port, such as 127.0.0.1:9100, or :9100 for all addresses of this machine", s)
				}
				return s, nil
			},
			format: func(s string) string { return s },
		})
	})
}

// Complete reads the token, which is of no use without an address.
func (m *Metrics) Complete(getenv func(string) string) (err error) {
	if m.Address != "" {
		m.Token, err = m.File.Read(getenv)
	}
	return err
}
