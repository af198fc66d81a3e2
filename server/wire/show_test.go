package wire

import "testing"

func TestShowURL(t *testing.T) {
	for url, want := range map[string]string{
		"http://h:1/send":                         "http://h:1/send",
		"http://u:pw@h/send":                      "http://...@h/send",
		"http://u:p@w@h/a@b":                      "http://...@h/a@b",
		"http://h/a@b?c@d":                        "http://h/a@b?c@d",
		"http://h?to=u:pw@x":                      "http://h?to=u:pw@x",
		"ws://h/{id}?a=b&Access_Token=t#k&c={id}": "ws://h/{id}?a=b&Access_Token=...&c={id}",
		"http://h/{id}?access_token={token}":      "http://h/{id}?access_token={token}",
		"http://h/?api-key=k&keys=":               "http://h/?api-key=...&keys=",
		"//u:pw@ no URL %zz":                      "//...@ no URL %zz",
		"":                                        "",
	} {
		if got := ShowURL(url); got != want {
			t.Errorf("%q is shown as %q, want %q", url, got, want)
		}
	}
}
