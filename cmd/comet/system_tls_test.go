//go:build system

package main

import (
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"example.org/comet/server/tlsclient/tlstest"
)

// startTLSServer starts comet serve with a certificate for both its listeners.
func startTLSServer(t *testing.T, p *tlstest.Pair, args ...string) (addr, admin string) {
	t.Helper()
	_, addr, admin = startServer(t, append(args, "--tls-cert", p.CertFile, "--tls-key", p.KeyFile, "--admin-tls-cert", p.CertFile, "--admin-tls-key", p.KeyFile)...)
	return addr, admin
}

// TestSystemTLSClients reads each stream of both engines by curl and openssl.
func TestSystemTLSClients(t *testing.T) {
	need(t, "curl")
	need(t, "openssl")
	p := tlstest.New(t, nil)
	curl := func(addr, path string) []string {
		return []string{"curl", "-sN", "--max-time", "60", "--cacert", p.CertFile, "https://" + addr + path}
	}
	openssl := func(addr string, args ...string) []string {
		return append([]string{"openssl", "s_client", "-quiet", "-no_ign_eof", "-CAfile", p.CertFile, "-verify_return_error", "-connect", addr}, args...)
	}
	for _, engine := range []string{"epoll", "goroutine"} {
		addr, admin := startTLSServer(t, p, "--engine", engine)
		for name, c := range map[string]struct {
			args         []string
			input, shows string
		}{
			"curl, HTML":                  {curl(addr, "/test/1"), "", "Recvd msg #1: 'hello'"},
			"curl, events":                {curl(addr, "/events/1"), "", "data: hello"},
			"curl, poll":                  {curl(addr, "/poll/1"), "", "hello"},
			"curl, HTTP/1.0":              {append(curl(addr, "/test/1"), "--http1.0"), "", "Recvd msg #1: 'hello'"},
			"curl, HTTP/2 offered":        {append(curl(addr, "/test/1"), "--http2"), "", "Recvd msg #1: 'hello'"},
			"curl, TLS 1.2":               {append(curl(addr, "/test/1"), "--tls-max", "1.2"), "", "Recvd msg #1: 'hello'"},
			"openssl, TLS 1.3":            {openssl(addr, "-tls1_3"), "GET /test/1 HTTP/1.1\r\nHost: h\r\n\r\n", "Recvd msg #1: 'hello'"},
			"openssl, TLS 1.2":            {openssl(addr, "-tls1_2"), "GET /test/1 HTTP/1.1\r\nHost: h\r\n\r\n", "Recvd msg #1: 'hello'"},
			"openssl, records of 512":     {openssl(addr, "-max_send_frag", "512"), "GET /test/1 HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", 5000) + "\r\n\r\n", "Recvd msg #1: 'hello'"},
			"openssl, no X25519MLKEM768":  {openssl(addr, "-curves", "P-256"), "GET /test/1 HTTP/1.1\r\nHost: h\r\n\r\n", "Recvd msg #1: 'hello'"},
			"openssl, hello asked again":  {openssl(addr, "-tls1_3", "-curves", "P-521:X25519"), "GET /test/1 HTTP/1.1\r\nHost: h\r\n\r\n", "Recvd msg #1: 'hello'"},
			"openssl, ChaCha20, TLS 1.3":  {openssl(addr, "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"), "GET /test/1 HTTP/1.1\r\nHost: h\r\n\r\n", "Recvd msg #1: 'hello'"},
			"openssl, SHA-384, TLS 1.3":   {openssl(addr, "-ciphersuites", "TLS_AES_256_GCM_SHA384"), "GET /test/1 HTTP/1.1\r\nHost: h\r\n\r\n", "Recvd msg #1: 'hello'"},
			"openssl, middlebox settings": {openssl(addr, "-tls1_3", "-no_middlebox"), "GET /test/1 HTTP/1.1\r\nHost: h\r\n\r\n", "Recvd msg #1: 'hello'"},
		} {
			t.Run(engine+", "+name, func(t *testing.T) {
				input, out := talk(t, c.args...)
				io.WriteString(input, c.input)
				eventually(t, "reached 1", func() bool {
					return strings.Contains(run(t, "comet", "send", "--to", "https://"+admin, "--ca", p.CertFile, "1", "hello"), "reached 1")
				})
				out.await(t, c.shows)
			})
			eventually(t, "the client has gone", func() bool {
				return strings.Contains(run(t, "curl", "-s", "--cacert", p.CertFile, "https://"+admin+"/stats"), `"logins":0`)
			})
		}
	}
}

// talk starts a client that sends what is written to its input, and ends it with the
// test.
func talk(t *testing.T, args ...string) (input io.Writer, out *output) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	out = new(output)
	cmd.Stdout, cmd.Stderr = out, out
	pipe, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		pipe.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})
	return pipe, out
}

// TestSystemTLSKeyUpdate has openssl ask for new keys in the middle of a stream.
func TestSystemTLSKeyUpdate(t *testing.T) {
	need(t, "openssl")
	p := tlstest.New(t, nil)
	for _, engine := range []string{"epoll", "goroutine"} {
		addr, admin := startTLSServer(t, p, "--engine", engine)
		input, out := talk(t, "openssl", "s_client", "-tls1_3", "-CAfile", p.CertFile, "-connect", addr)
		io.WriteString(input, "GET /test/1 HTTP/1.1\r\nHost: h\r\n\r\n")
		out.await(t, "HTTP/1.1 200 OK")
		for _, message := range []string{"one", "two", "three"} {
			io.WriteString(input, "K\n") // a KeyUpdate that asks for one
			run(t, "comet", "send", "--to", "https://"+admin, "--ca", p.CertFile, "1", message)
			out.await(t, "'"+message+"'")
		}
		out.await(t, "KEYUPDATE")
	}
}

// TestSystemTLSResume has openssl resume a session, where it may.
func TestSystemTLSResume(t *testing.T) {
	need(t, "openssl")
	p := tlstest.New(t, nil)
	for _, engine := range []string{"epoll", "goroutine"} {
		for _, version := range []string{"-tls1_2", "-tls1_3"} {
			for _, resume := range []string{"false", "true"} {
				addr, _ := startTLSServer(t, p, "--engine", engine, "--tls-resume="+resume)
				session := filepath.Join(t.TempDir(), "session")
				ask := func(args ...string) string {
					cmd := exec.CommandContext(t.Context(), "openssl", append([]string{"s_client", version, "-ign_eof", "-CAfile", p.CertFile, "-connect", addr}, args...)...)
					cmd.Stdin = strings.NewReader("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
					out, _ := cmd.CombinedOutput() // its exit code is that of the verification
					return string(out)
				}
				first := ask("-sess_out", session)
				if !strings.Contains(first, "There is nothing here") {
					t.Fatalf("%s %s: %s", engine, version, first)
				}
				again := ask("-sess_in", session)
				if reused := strings.Contains(again, "Reused, TLS"); reused != (resume == "true") {
					t.Errorf("%s %s, --tls-resume=%s: reused %v", engine, version, resume, reused)
				}
			}
		}
	}
}

// TestSystemTLSPublish has msggen publish to openssl's server, which closes each
// connection after its answer.
func TestSystemTLSPublish(t *testing.T) {
	need(t, "openssl")
	ca := tlstest.New(t, nil, tlstest.Authority)
	good, client, stranger := tlstest.New(t, ca), tlstest.New(t, ca), tlstest.New(t, nil)
	for name, c := range map[string]struct {
		server, client []string
		want           string // "" is success
	}{
		"TLS 1.3":                          {nil, []string{"--ca", ca.CertFile}, ""},
		"TLS 1.2":                          {[]string{"-tls1_2"}, []string{"--ca", ca.CertFile}, ""},
		"insecure":                         {nil, []string{"--insecure"}, ""},
		"unknown authority":                {nil, []string{"--ca", stranger.CertFile}, "with --ca FILE"},
		"a certificate demanded":           {[]string{"-Verify", "1", "-verify_return_error", "-CAfile", ca.CertFile}, []string{"--ca", ca.CertFile}, "demands a certificate of clients"},
		"a certificate demanded, TLS 1.2":  {[]string{"-tls1_2", "-Verify", "1", "-verify_return_error", "-CAfile", ca.CertFile}, []string{"--ca", ca.CertFile}, "demands a certificate of clients"},
		"a certificate given":              {[]string{"-Verify", "1", "-verify_return_error", "-CAfile", ca.CertFile}, []string{"--ca", ca.CertFile, "--cert", client.CertFile, "--key", client.KeyFile}, ""},
		"a certificate of nobody, TLS 1.2": {[]string{"-tls1_2", "-Verify", "1", "-verify_return_error", "-CAfile", ca.CertFile}, []string{"--ca", ca.CertFile, "--cert", stranger.CertFile, "--key", stranger.KeyFile}, "demands a certificate of clients"},
	} {
		t.Run(name, func(t *testing.T) {
			_, server := background(t, "openssl", append([]string{"s_server", "-www", "-accept", "127.0.0.1:0", "-cert", good.CertFile, "-key", good.KeyFile}, c.server...)...)
			addr := strings.TrimPrefix(server.await(t, `ACCEPT [0-9.:]+`), "ACCEPT ")
			args := append([]string{"msggen", "--publish", "https://" + addr + "/{id}?m={message}", "--method", "GET", "--publish-connections", "1", "--count", "3", "--interval", "20ms"}, c.client...)
			out, err := exec.CommandContext(t.Context(), "comet", args...).CombinedOutput()
			exit, failed := errors.AsType[*exec.ExitError](err)
			switch {
			case c.want == "" && (err != nil || !strings.Contains(string(out), "sent 3")):
				t.Errorf("%v: %s", err, out)
			case c.want != "" && (!failed || exit.ExitCode() != 1 || !strings.Contains(string(out), c.want)):
				t.Errorf("%v: %s\nwant exit code 1 and %q", err, out, c.want)
			}
		})
	}
}
