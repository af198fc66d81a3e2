//go:build !nonats

package broker

import (
	"strings"
	"testing"
	"time"
)

func TestConfigValidate(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  Config
		want []string // in the error, each
	}{
		{"address", Config{Listen: "4222"}, []string{`"4222"`, "127.0.0.1:4222"}},
		{"port", Config{Listen: "127.0.0.1:nats"}, []string{`"nats" is not a port`}},
		{"for all without credentials", Config{Listen: "0.0.0.0:4222"}, []string{"router on 0.0.0.0:4222 can be reached", "--credentials FILE", "COMET_ROUTER_CREDENTIALS"}},
		{"without host", Config{Listen: ":4222"}, []string{"--credentials FILE"}},
		{"cluster for all without credentials", Config{ClusterListen: "[::]:6222"}, []string{"cluster listener on [::]:6222 can be reached", "--credentials FILE"}},
		{"admin for all without token", Config{Admin: "0.0.0.0:4223", Credentials: "t"}, []string{"admin listener on 0.0.0.0:4223", "--admin-token-file"}},
		{"routes alone", Config{Routes: []string{"nats://a:6222"}}, []string{"--cluster-listen, such as 127.0.0.1:6222"}},
		{"route without scheme", Config{ClusterListen: "127.0.0.1:0", Routes: []string{"a:6222"}}, []string{`route "a:6222"`, "nats://"}},
		{"credentials in a route", Config{ClusterListen: "127.0.0.1:0", Routes: []string{"nats://me:secret@a:6222"}}, []string{"do not belong"}},
		{"lines", Config{Credentials: "a\nb"}, []string{"several lines"}},
		{"no user", Config{Credentials: ":secret"}, []string{"lack the user or the password"}},
		{"a hash", Config{Credentials: "me:$2a$11$secretsecretsecret"}, []string{"bcrypt"}},
		{"key missing", Config{CertFile: "cert.pem"}, []string{"--tls-cert and --tls-key"}},
		{"authorities alone", Config{CAFile: "ca.pem"}, []string{"--tls-cert and --tls-key"}},
		{"no such certificate", Config{CertFile: "no-such.pem", KeyFile: "no-such.key"}, []string{"no-such.pem"}},
		{"names", Config{Name: "a b", ClusterName: "c d"}, []string{`name "a b"`, `cluster name "c d"`}},
		{"pending", Config{MaxPending: 1000}, []string{"1000 bytes"}},
		{"drain", Config{DrainTimeout: -time.Second}, []string{"-1s"}},
		{"everything at once", Config{Listen: "x", Admin: "y", ClusterListen: "z"}, []string{`"x"`, `"y"`, `"z"`}},
	} {
		err := c.cfg.Validate()
		if err == nil {
			t.Errorf("%s: no error", c.name)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not say %q", c.name, err, want)
			}
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error tells the password: %v", c.name, err)
		}
		for line := range strings.Lines(err.Error()) {
			if !strings.HasPrefix(line, "broker: ") {
				t.Errorf("%s: line %q", c.name, line)
			}
		}
		if r, err := New(c.cfg); err == nil {
			r.Close()
			t.Errorf("%s: New takes it", c.name)
		}
	}
	for _, cfg := range []Config{
		{},
		{Listen: "localhost:0", Admin: "[::1]:0", ClusterListen: "127.0.0.9:0", Routes: []string{"nats://a", "nats://b:6222"}},
		{Listen: ":4222", Admin: ":4223", AdminToken: "t", ClusterListen: ":6222", Credentials: "user:secret\n"},
	} {
		if err := cfg.Validate(); err != nil {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}

func TestRouteURL(t *testing.T) {
	for _, c := range []struct{ text, user, password, want string }{
		{"nats://a", "", "", "nats://a:6222"},
		{"nats://a:1", "me", "p:w", "nats://me:p%3Aw@a:1"},
		{"nats://[::1]", "", "", "nats://[::1]:6222"},
	} {
		if u, err := routeURL(c.text, c.user, c.password); err != nil || u.String() != c.want {
			t.Errorf("%s: %v, %v; want %s", c.text, u, err, c.want)
		}
	}
}
