package flags

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func TestAgents(t *testing.T) {
	for text, want := range map[string]string{
		"4": "4", "1k": "1000", "web2": "web2", "web2,web3": "web2,web3", " web2 , 10.0.0.3": "web2,10.0.0.3",
		"0": "no number of agents", "1001": "no number of agents", "-1": "-1", "": "cannot be the name", "a,": "cannot be the name", "a,4": "cannot be the name",
		"a b": "cannot be the name", "a,a": "names a twice", "w\x1b[2J": "cannot be the name", "w\u00e9b": "cannot be the name",
	} {
		var a Agents
		got := ""
		if err := a.Set(text); err != nil {
			got = err.Error()
		} else {
			got = a.String()
			var again Agents
			if err := again.Set(got); err != nil || again.String() != got || !again.Given() {
				t.Errorf("%q reads as %q, and that as %q, %v", text, got, again.String(), err)
			}
		}
		if !strings.Contains(got, want) {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// TestFloodSettings: what is rendered is read again, and nothing else is taken.
func TestFloodSettings(t *testing.T) {
	var a Agents
	if a.Given() || a.String() != "" {
		t.Errorf("%+v asks for agents", a)
	}
	for seed := range uint64(200) {
		c := odd{rand.New(rand.NewPCG(seed, 1))}.flood()
		s := NewFloodSettings(c.Config)
		for _, file := range []string{"users", "urls", "ca", "cert", "key", "log", "json", "attended", "agents", "router", "duration"} {
			if s[file] != nil {
				t.Fatalf("%s is told to another host", file)
			}
		}
		got, err := s.Config()
		if err != nil {
			t.Fatalf("%v: %v", s, err)
		}
		got.TLS.CAFile, got.TLS.CertFile, got.TLS.KeyFile = c.Config.TLS.CAFile, c.Config.TLS.CertFile, c.Config.TLS.KeyFile
		want := NewFloodSettings(c.Config)
		for name, values := range NewFloodSettings(got) {
			if strings.Join(values, "|") != strings.Join(want[name], "|") {
				t.Errorf("%s is %q, want %q", name, values, want[name])
			}
		}
	}
	if _, err := (FloodSettings{"users": {"/etc/passwd"}}).Config(); err == nil {
		t.Error("a path is taken")
	}
}
