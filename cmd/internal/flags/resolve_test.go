package flags

import (
	"fmt"
	"net/netip"
	"testing"
)

func TestResolve(t *testing.T) {
	for text, want := range map[string]string{
		"Push.example.org:443:127.0.0.1": "map[push.example.org:443:127.0.0.1]",
		"h:80:[::1]":                     "map[h:80:::1]",
		"h:80:::1":                       "map[h:80:::1]",
		"[::1]:80:127.0.0.1":             "map[[::1]:80:127.0.0.1]",
		"h:80":                           "",
		"h:0:127.0.0.1":                  "",
		"h:http:127.0.0.1":               "",
		":80:127.0.0.1":                  "",
		"h:80:localhost":                 "",
		"h:80:fe80::1%lo":                "",
	} {
		var all map[string]netip.Addr
		r := &resolved{&all}
		err := r.Set(text)
		if (err == nil) != (want != "") {
			t.Errorf("%q: %v", text, err)
		}
		if err != nil {
			continue
		}
		if got := fmt.Sprint(all); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
		if err := r.Replace(r.GetSlice()); err != nil || fmt.Sprint(all) != want {
			t.Errorf("%q is written %q: %v", text, r.GetSlice(), err)
		}
	}
}
