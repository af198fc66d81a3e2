package cli

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

func TestHealth(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/healthz":
			w.Write([]byte("ok\n"))
		case "/readyz":
			http.Error(w, "draining", http.StatusServiceUnavailable)
		case "/slow":
			<-r.Context().Done()
		}
	}))
	defer server.Close()
	tls := httptest.NewTLSServer(server.Config.Handler)
	defer tls.Close()
	for _, test := range []struct {
		args string
		code int
		says string
	}{
		{server.URL, exitDone, "healthy: ok"},
		{server.URL + "/", exitDone, "healthy: ok"},
		{server.URL + "/readyz", exitFailed, "503 Service Unavailable: draining"},
		{server.URL + "/slow --timeout 20ms", exitFailed, "not healthy: "},
		{"http://127.0.0.1:1", exitFailed, "not healthy: "},
		{tls.URL, exitFailed, "not healthy: "},
		{tls.URL + " --insecure", exitDone, "healthy: ok"},
		{"127.0.0.1:8001", exitUsage, "has no scheme: write http://"},
		{"nats://127.0.0.1:4222", exitUsage, "write http://host:port"},
		{server.URL + " more", exitUsage, "comet health takes the URL of one admin listener"},
		{tls.URL + " --ca none.pem", exitUsage, "none.pem"},
	} {
		var out strings.Builder
		env := &Env{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Getenv: os.Getenv}
		code := Run(t.Context(), env, append([]string{"health"}, strings.Fields(test.args)...))
		if code != test.code || !strings.Contains(out.String(), test.says) {
			t.Errorf("comet health %s: exit code %d, %q, want %d and %q", test.args, code, out.String(), test.code, test.says)
		}
	}
}
