package flags

import (
	"slices"
	"strings"
	"testing"
)

// TestConceal: what a process is started with is whole again in it, and its command line
// says no secret.
func TestConceal(t *testing.T) {
	for _, c := range []struct{ args, open []string }{
		{nil, nil},
		{[]string{"--connections=5", "--url=http://h/{id}?a=b"}, []string{"--connections=5", "--url=http://h/{id}?a=b"}},
		{[]string{"--header=Authorization: Bearer S", "-q", "--header=X: é\n\"S\xff"}, []string{"-q"}},
		{[]string{"--url=http://h/{id}?access_token=S", "--to=http://u:S@h/send", "--url=http://h/?access_token={token}"}, []string{"--url=http://h/?access_token={token}"}},
		{[]string{"--first-message=S", "--reply=a=>S", "--ready=S", "--body=S", "--stream-body=S"}, nil},
	} {
		open, environ := Conceal(c.args)
		if !slices.Equal(open, c.open) || len(environ) > 1 || (environ == nil) != (len(open) == len(c.args)) {
			t.Errorf("%q shows %q, want %q", c.args, open, c.open)
		}
		got := Reveal(open, func(name string) string {
			value, _ := strings.CutPrefix(strings.Join(environ, ""), name+"=")
			return value
		})
		slices.Sort(got)
		want := slices.Sorted(slices.Values(c.args))
		if !slices.Equal(got, want) {
			t.Errorf("%q are revealed, want %q", got, want)
		}
	}
	for _, broken := range []string{"", "x", "{}", `"x"`} {
		if got := Reveal([]string{"-q"}, func(string) string { return broken }); !slices.Equal(got, []string{"-q"}) {
			t.Errorf("%q adds %q", broken, got)
		}
	}
}
