//go:build !nonats

package natsrouter

import (
	"math"
	"strings"
	"testing"
)

func TestSubjects(t *testing.T) {
	for _, c := range []struct {
		id      int64
		subject string
	}{
		{0, "comet.msg.0.0"},
		{1023, "comet.msg.0.1023"},
		{1024, "comet.msg.1.1024"},
		{math.MaxInt64, "comet.msg.9007199254740991.9223372036854775807"},
	} {
		subject := string(appendSubject(nil, DefaultSubjectPrefix, c.id))
		if subject != c.subject {
			t.Errorf("the subject of %d is %s, want %s", c.id, subject, c.subject)
		}
		if id, ok := subjectID(DefaultSubjectPrefix, subject); !ok || id != c.id {
			t.Errorf("the id of %s is %d, %v", subject, id, ok)
		}
		if wildcard := blockSubject(DefaultSubjectPrefix, c.id/BlockSize); !strings.HasPrefix(subject, strings.TrimSuffix(wildcard, "*")) {
			t.Errorf("%s does not hold %s", wildcard, subject)
		}
	}
}

func TestSubjectOfOthers(t *testing.T) {
	for _, subject := range []string{
		"", "comet", "comet.msg", "comet.msg.", "comet.msg.0", "comet.msg.0.", "comet.msg..1", "comet.msg.0.x", "comet.msg.0.-1", "comet.msg.0.+1",
		"comet.msg.0.*", "comet.msg.*.1", "comet.msg.*.*", "comet.msg.>", "comet.msg.0.>", // wildcards are literal in what is published
		"comet.msg.1.1", "comet.msg.0.1024", "comet.msg.0.01", "comet.msg.00.1", "comet.msg.0.1.", "comet.msg.0.1.1", "comet.msg.-0.1",
		"comet.msg.9007199254740992.9223372036854775808", "comet.msg.0.9223372036854775808", "comet.msg.18014398509481984.1",
		"comet.msgs.0.1", "comet.msg0.1", "Comet.msg.0.1", "other.0.1", "0.1", "1 2", "comet.msg.0.１", "comet.msg.0.1 ",
	} {
		if id, ok := subjectID(DefaultSubjectPrefix, subject); ok {
			t.Errorf("%q is taken for a message to %d", subject, id)
		}
	}
}

// TestSubjectsOfLoadHosts: what they say to each other is no message and no event, and
// no interest in those matches it.
func TestSubjectsOfLoadHosts(t *testing.T) {
	subject := Servers{}.AgentSubject("down", "word")
	if subject != "comet.msg.agent.down.word" {
		t.Errorf("%s", subject)
	}
	if other := (Servers{SubjectPrefix: "a.b"}).AgentSubject("call", "all"); other != "a.b.agent.call.all" {
		t.Errorf("%s", other)
	}
	if id, ok := subjectID(DefaultSubjectPrefix, subject); ok {
		t.Errorf("it is a message to %d", id)
	}
	words := strings.Split(subject, ".")
	for _, wildcard := range []string{allSubject(DefaultSubjectPrefix), blockSubject(DefaultSubjectPrefix, 0), eventsSubject(DefaultSubjectPrefix), DefaultSubjectPrefix + ".event.change.*"} {
		pattern := strings.Split(wildcard, ".")
		matches := len(pattern) == len(words)
		for i := 0; matches && i < len(words); i++ {
			matches = pattern[i] == "*" || pattern[i] == words[i]
		}
		if matches {
			t.Errorf("%s matches %s", wildcard, subject)
		}
	}
}

func TestServersValidate(t *testing.T) {
	for _, c := range []struct {
		servers Servers
		wrong   string // part of the error; "" for none
	}{
		{Servers{URLs: []string{"nats://127.0.0.1:4222", "tls://router"}}, ""},
		{Servers{URLs: []string{"nats://a"}, Credentials: "user:secret"}, ""},
		{Servers{}, "nats://127.0.0.1:4222"},
		{Servers{URLs: []string{"127.0.0.1:4222"}}, "write nats://"},
		{Servers{URLs: []string{"http://a:1"}}, "nats://a:1"},
		{Servers{URLs: []string{"nats://me:secret@a:1"}}, "do not belong"},
		{Servers{URLs: []string{"nats://a"}, SubjectPrefix: "a..b"}, "subject prefix"},
		{Servers{URLs: []string{"nats://a"}, SubjectPrefix: "a.>"}, "subject prefix"},
		{Servers{URLs: []string{"nats://a"}, CertFile: "c.pem"}, "come together"},
		{Servers{URLs: []string{"nats://a"}, CAFile: "no-such-file.pem"}, "no-such-file.pem"},
		{Servers{URLs: []string{"nats://a"}, Credentials: "a\nb"}, "several lines"},
	} {
		err := c.servers.Validate()
		switch {
		case c.wrong == "" && err != nil:
			t.Errorf("%+v: %v", c.servers, err)
		case c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)):
			t.Errorf("%+v: error %v, want one with %q", c.servers, err, c.wrong)
		case err != nil && strings.Contains(err.Error(), "secret"):
			t.Errorf("the error tells the password: %v", err)
		}
	}
}

// FuzzSubjectID: the one subject that is taken for a message to an id is the one
// that is made for it.
func FuzzSubjectID(f *testing.F) {
	f.Add("comet.msg.0.123")
	f.Add("comet.msg.1.1024")
	f.Fuzz(func(t *testing.T, subject string) {
		if id, ok := subjectID(DefaultSubjectPrefix, subject); ok && (id < 0 || string(appendSubject(nil, DefaultSubjectPrefix, id)) != subject) {
			t.Errorf("%q is taken for a message to %d", subject, id)
		}
	})
}
