package msggen

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"example.org/comet/server/tlsclient"
	"example.org/comet/server/tlsclient/tlstest"
)

// tlsServer answers whatever is sent to it as a comet server's admin listener does.
func tlsServer(t *testing.T, p *tlstest.Pair, changes ...func(*tls.Config)) (url string) {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent := 0
		if text, err := io.ReadAll(r.Body); err == nil {
			sent = strings.Count(string(text), "\n")
		}
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/send" {
			io.WriteString(w, `{"sent":`+string(rune('0'+sent))+`,"reached":0,"unaddressed":0}`)
		} else {
			io.WriteString(w, `{"reached":1}`)
		}
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{p.Certificate}}
	for _, change := range changes {
		change(server.TLS)
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}

// TestTLSFaults has each sender meet each fault of TLS: it ends the run, and is
// named with its cure.
func TestTLSFaults(t *testing.T) {
	ca := tlstest.New(t, nil, tlstest.Authority)
	good, self, client := tlstest.New(t, ca), tlstest.New(t, nil), tlstest.New(t, ca)
	trusting := tlsclient.Options{CAFile: ca.CertFile}
	demand := func(c *tls.Config) { tlstest.Demand(c, ca) }
	demand12 := func(c *tls.Config) { demand(c); c.MaxVersion = tls.VersionTLS12 }
	for name, c := range map[string]struct {
		o    tlsclient.Options
		url  string
		want string // "" is success
	}{
		"trusted":                  {trusting, tlsServer(t, good), ""},
		"trusted itself":           {tlsclient.Options{CAFile: self.CertFile}, tlsServer(t, self), ""},
		"insecure":                 {tlsclient.Options{Insecure: true}, tlsServer(t, tlstest.New(t, nil, tlstest.Expired)), ""},
		"unknown authority":        {trusting, tlsServer(t, self), "signed by itself: give that certificate with --ca FILE"},
		"the system's authorities": {tlsclient.Options{}, tlsServer(t, good), "with --ca FILE"},
		"expired":                  {trusting, tlsServer(t, tlstest.New(t, ca, tlstest.Expired)), "its certificate expired on "},
		"not yet valid":            {trusting, tlsServer(t, tlstest.New(t, ca, tlstest.Early)), "is not valid before "},
		"wrong name":               {trusting, tlsServer(t, tlstest.New(t, ca, func(c *x509.Certificate) { c.IPAddresses = nil })), "its certificate is for localhost and not for 127.0.0.1"},
		"demands a certificate":    {trusting, tlsServer(t, good, demand), "it demands a certificate of clients: give one that the server knows, with --cert FILE and --key FILE"},
		"demands one, TLS 1.2":     {trusting, tlsServer(t, good, demand12), "demands a certificate of clients"},
		"gets one":                 {tlsclient.Options{CAFile: ca.CertFile, CertFile: client.CertFile, KeyFile: client.KeyFile}, tlsServer(t, good, demand), ""},
		"gets one, TLS 1.2":        {tlsclient.Options{CAFile: ca.CertFile, CertFile: client.CertFile, KeyFile: client.KeyFile}, tlsServer(t, good, demand12), ""},
		"gets another's":           {tlsclient.Options{CAFile: ca.CertFile, CertFile: self.CertFile, KeyFile: self.KeyFile}, tlsServer(t, good, demand), "demands a certificate of clients"},
		"too old":                  {trusting, tlsServer(t, good, func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }), "TLS 1.2 and 1.3 are spoken here"},
	} {
		cfg, err := c.o.Config()
		if err != nil {
			t.Fatal(err)
		}
		senders := map[string]func() (Sender, error){
			"--to":      func() (Sender, error) { return NewHTTPSender(HTTPConfig{URL: c.url, TLS: cfg}) },
			"--publish": func() (Sender, error) { return NewPublishSender(PublishConfig{URL: c.url + "/{id}", TLS: cfg}) },
			"--publish, GET": func() (Sender, error) {
				return NewPublishSender(PublishConfig{URL: c.url + "/{id}?m={message}", Method: "GET", TLS: cfg, Connections: 1})
			},
			"--publish, many": func() (Sender, error) {
				return NewPublishSender(PublishConfig{URL: c.url + "/{id}", TLS: cfg, Connections: 50})
			},
		}
		for which, newSender := range senders {
			t.Run(name+" "+which, func(t *testing.T) {
				s, err := newSender()
				if err != nil {
					t.Fatal(err)
				}
				if err = s.Open(t.Context()); err == nil {
					err = errors.Join(s.Send(1, []byte("m")), s.Settle(t.Context()))
				}
				if closed := s.Close(t.Context()); err == nil {
					err = closed
				}
				checkFault(t, err, c.want)
				// The reset of a server that demands a certificate may overtake its alert:
				// what became of the message is unknown then, whatever other connections heard.
				if r := s.Receipt(); r.Unanswered != 0 || c.want == "" && (r.Sent != 1 || r.Unknown != 0) {
					t.Errorf("the receipt is %+v", r)
				}
			})
		}
		t.Run(name+" one message", func(t *testing.T) {
			_, err := Post(t.Context(), HTTPConfig{URL: c.url, TLS: cfg}, 1, []byte("m"))
			checkFault(t, err, c.want)
		})
	}
}

func checkFault(t *testing.T, err error, want string) {
	t.Helper()
	_, named := errors.AsType[*tlsclient.Fault](err)
	switch {
	case want == "":
		if err != nil {
			t.Errorf("failed: %v", err)
		}
	case err == nil, errors.Is(err, ErrAway), !named, !strings.Contains(err.Error(), want), strings.Contains(err.Error(), "\n"):
		t.Errorf("got %v, want a final error that says %q", err, want)
	}
}
