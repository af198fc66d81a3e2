package natsrouter

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
)

// Servers says how to reach the NATS servers that messages go through. Only
// URLs must be set.
type Servers struct {
	// URLs are those of one server, or of several of one cluster, any of which will
	// do: nats://host:port, or tls://host:port. No port means 4222.
	URLs []string
	// Credentials lets this client in: "user:password", a token, or the text of
	// a NATS .creds file. Empty is none.
	Credentials string
	// CAFile has the certificates (PEM) that the servers' are checked against
	// instead of the system's; CertFile and KeyFile are this client's own.
	CAFile, CertFile, KeyFile string
	// SubjectPrefix is what the subjects of messages begin with; empty means
	// DefaultSubjectPrefix. Servers and senders that belong together share it.
	SubjectPrefix string
	// Name is what the servers' own lists call this client.
	Name string
	// Logger takes diagnostics, such as lost connections; nil discards them.
	Logger *slog.Logger
}

func (s Servers) withDefaults() Servers {
	if s.SubjectPrefix == "" {
		s.SubjectPrefix = DefaultSubjectPrefix
	}
	if s.Name == "" {
		s.Name = "comet"
	}
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	return s
}

// Validate returns an error that names everything that cannot be.
func (s Servers) Validate() error {
	s = s.withDefaults()
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("natsrouter: "+format, args...)) }
	if len(s.URLs) == 0 {
		bad("no router: give one, such as nats://127.0.0.1:4222")
	}
	for _, u := range s.URLs {
		if err := CheckURL(u); err != nil {
			bad("router %w", err)
		}
	}
	if err := checkPrefix(s.SubjectPrefix); err != nil {
		bad("%w", err)
	}
	if (s.CertFile == "") != (s.KeyFile == "") {
		bad("a certificate and its key come together: give both files")
	}
	for _, file := range []string{s.CAFile, s.CertFile, s.KeyFile} {
		if file == "" {
			continue
		}
		if _, err := os.Stat(file); err != nil {
			bad("%w", err)
		}
	}
	if _, err := s.Login(); err != nil {
		bad("%w", err)
	}
	return errors.Join(errs...)
}

// CheckURL returns what is wrong with the URL of a NATS server.
func CheckURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "":
		return fmt.Errorf("%q: write nats://host:port, such as nats://127.0.0.1:4222", text)
	case u.Scheme != "nats" && u.Scheme != "tls":
		return fmt.Errorf("%q: the scheme must be nats or tls, as in nats://%s", text, u.Host)
	case u.User != nil:
		// Every user of the machine sees the arguments of a program.
		return fmt.Errorf("%s://%s: credentials do not belong in the address: put them into a file or the environment", u.Scheme, u.Host)
	}
	return nil
}
