package flags

import (
	"fmt"
	"io"

	"github.com/spf13/pflag"
)

// Secret is a text that must not stand on a command line, where every user of
// the machine can read it. It comes from the file that a flag names, or else
// from the environment.
type Secret struct {
	File string // "-" is not taken: standard input may carry data
	what string
	env  string
}

// adminToken adds --admin-token-file.
func (s *Secret) adminToken(fs *pflag.FlagSet, usage string) {
	s.what, s.env = "the admin token", "COMET_ADMIN_TOKEN"
	String(fs, &s.File, "admin-token-file", "", "", usage+" (or "+s.env+")")
}

// credentials adds a flag for the credentials of a router.
func (s *Secret) credentials(fs *pflag.FlagSet, name, usage string) {
	s.what, s.env = "the router's credentials", "COMET_ROUTER_CREDENTIALS"
	String(fs, &s.File, name, "", "", usage+" (or "+s.env+")")
}

// Read returns the secret, without white space around it; "" if there is none.
func (s *Secret) Read(getenv func(string) string) (string, error) {
	if s.File == "" {
		return trimSpace(getenv(s.env)), nil
	}
	in, err := Open(s.File, nil)
	if err != nil {
		return "", fmt.Errorf("%s: %w", s.what, err)
	}
	defer in.Close()
	text, err := io.ReadAll(in)
	if err != nil {
		return "", fmt.Errorf("%s: %w", s.what, err)
	}
	secret := trimSpace(string(text))
	if secret == "" {
		return "", fmt.Errorf("%s: the file %s is empty", s.what, s.File)
	}
	return secret, nil
}
