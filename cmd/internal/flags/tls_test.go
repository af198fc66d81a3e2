package flags

import (
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"example.org/comet/server/tlsclient/tlstest"
)

// TestClientTLS: the settings reach whoever connects, and are refused where they
// would have no effect.
func TestClientTLS(t *testing.T) {
	p := tlstest.New(t, nil)
	getenv := func(string) string { return "" }
	commands := map[string]func(line string) (configured bool, err error){
		"msggen --to": func(line string) (bool, error) {
			c, fs := parsed[MsggenCommand](t, line)
			err := c.Complete(fs, getenv)
			return c.Config.TLS != nil && c.Config.TLS.RootCAs != nil, err
		},
		"msggen --publish": func(line string) (bool, error) {
			c, fs := parsed[MsggenCommand](t, line)
			err := c.Complete(fs, getenv)
			return c.Publish.TLS != nil && c.Publish.TLS.RootCAs != nil, err
		},
		"send --to": func(line string) (bool, error) {
			c, fs := parsed[SendCommand](t, line)
			err := c.Complete(fs, []string{"1", "m"}, getenv)
			return c.HTTP.TLS != nil && c.HTTP.TLS.RootCAs != nil, err
		},
		"memlog --pid 1 --stats": func(line string) (bool, error) {
			c, fs := parsed[MemlogCommand](t, line)
			err := c.Complete(fs, getenv)
			return c.Config.StatsTLS != nil && c.Config.StatsTLS.RootCAs != nil, err
		},
	}
	for name, complete := range commands {
		_, flag, _ := strings.Cut(name, " ")
		for line, want := range map[string]string{
			flag + " https://h/{id} --ca " + p.CertFile:            "",
			flag + " HTTPS://h/{id} --ca " + p.CertFile:            "",
			flag + " http://h/{id} --ca " + p.CertFile:             "--ca is for https",
			flag + " http://h/{id} --insecure":                     "--insecure is for https",
			flag + " http://h/{id} --cert a --key b":               "--cert is for https",
			flag + " https://h/{id} --insecure --ca " + p.CertFile: "give one of them",
			flag + " https://h/{id} --cert " + p.CertFile:          "give both --cert and --key",
			flag + " https://h/{id} --ca " + p.CertFile + "x":      "no such file",
			"--router nats://h --insecure":                         "insecure",
		} {
			if strings.HasPrefix(line, "--router") && strings.HasPrefix(name, "memlog") {
				continue
			}
			configured, err := complete(line)
			switch {
			case want == "" && (err != nil || !configured):
				t.Errorf("%s %s: configured %v, error %v", name, line, configured, err)
			case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
				t.Errorf("%s %s: %v, want a word of %q", name, line, err, want)
			}
		}
	}
	c, fs := parsed[MemlogCommand](t, "--pid 1 --insecure")
	if err := c.Complete(fs, getenv); err == nil || !strings.Contains(err.Error(), "--insecure goes with --stats") {
		t.Errorf("memlog without --stats: %v", err)
	}
}

// parsed returns the flags of a command line.
func parsed[T any, C Command[T]](t *testing.T, line string) (C, *pflag.FlagSet) {
	t.Helper()
	fs, cmd := pflag.NewFlagSet("", pflag.ContinueOnError), C(new(T))
	cmd.Bind(fs)
	if err := fs.Parse(strings.Fields(line)); err != nil {
		t.Fatal(err)
	}
	return cmd, fs
}
