package flood

import (
	"bytes"
	"encoding"
	"math"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
)

// FuzzTexts: what is read as a share, churn, storm, ramp, slow readers or a reconnect is
// written as the same again, or refused in one line.
func FuzzTexts(f *testing.F) {
	for _, text := range []string{
		"5%", "0.5%", "100%", "1e-9%", "NaN%", "5%/s", "30s:100%", "1h:0.1%", "1%:1KB/s", "1%:1KiB/s", "2%:7B/s", "min=1s,max=30s,jitter=full", "max=1h", "jitter=none", "min=1ns",
		"30s", "1k:10s,10k:30s", "1:1ns,2M:1h", "+5%", "0x1p-3%", "1_0%", "-1s:5%",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, read := range []func() encoding.TextUnmarshaler{
			func() encoding.TextUnmarshaler { return new(Share) }, func() encoding.TextUnmarshaler { return new(Churn) }, func() encoding.TextUnmarshaler { return new(Storm) },
			func() encoding.TextUnmarshaler { return new(SlowReaders) }, func() encoding.TextUnmarshaler { return new(Reconnect) }, func() encoding.TextUnmarshaler { return new(Ramp) },
		} {
			one, again := read(), read()
			if err := one.UnmarshalText([]byte(text)); err != nil {
				if strings.ContainsAny(err.Error(), "\n\x00\x1b") {
					t.Errorf("%T %q: %q", one, text, err)
				}
				continue
			}
			written, err := one.(encoding.TextMarshaler).MarshalText()
			if err == nil {
				err = again.UnmarshalText(written)
			}
			if err != nil || !alike(one, again) {
				t.Errorf("%T %q is %+v, written as %q, and read as %+v, %v", one, text, reflect.ValueOf(one).Elem(), written, reflect.ValueOf(again).Elem(), err)
			}
		}
		checkRamp(t, Ramp(text))
	})
}

// alike reports whether two settings are one, but for the last digits of a share.
func alike(a, b any) bool {
	share := func(v any) (float64, any) {
		switch s := v.(type) {
		case *Share:
			return float64(*s), nil
		case *Churn:
			return float64(*s), nil
		case *Storm:
			return float64(s.Share), s.After
		case *SlowReaders:
			return float64(s.Share), s.Rate
		}
		return 0, v
	}
	x, restX := share(a)
	y, restY := share(b)
	return math.Abs(x-y) <= 1e-9*max(x, y, 1e-3) && reflect.DeepEqual(restX, restY)
}

// checkRamp checks that a ramp goes up, to its end, and that parts of it add up.
func checkRamp(t *testing.T, r Ramp) {
	t.Helper()
	steps, err := r.steps()
	if err != nil {
		return
	}
	s, all := steps.of(100), r.last()
	if all == 0 {
		all = 100
	}
	var before uint64
	at := time.Duration(0)
	for _, step := range s {
		if at+step.over < at {
			return // beyond all time
		}
		for _, now := range []time.Duration{at, at + step.over/3, at + step.over} {
			n := s.Count(now)
			if n < before || n > uint64(all) {
				t.Errorf("%q has %d connections after %v, and %d before", r, n, now, before)
			}
			before = n
		}
		at += step.over
	}
	if s.Count(at) != uint64(all) {
		t.Errorf("%q ends with %d of %d", r, s.Count(at), all)
	}
}

// FuzzCookies: what net/http takes for a cookie is one here, with the same name and value,
// and gone if that says so; what is kept is one line of a request.
func FuzzCookies(f *testing.F) {
	for _, text := range []string{
		"a=1", " a = 1 ; Path=/x; HttpOnly", `a="b c"; Domain=example.org`, "a=; Max-Age=0", "a=1; expires=Thu, 01 Jan 1970 00:00:00 GMT", "a=1; Max-Age=5; Expires=x", "=1", "a", "a=1\r\nb: 2", "a=\x7f", "é=1", "a=1;;", "a=b=c",
	} {
		f.Add(text, "a=0; b=1")
	}
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text, have string) {
		if strings.ContainsFunc(text, func(c rune) bool { return c < ' ' && c != '\t' }) {
			text = "a=\x00" // such as no field has (RFC 9110, section 5.5), nor a cookie
		}
		c, ok := parseSetCookie([]byte(text), now)
		if theirs, err := http.ParseSetCookie(text); err == nil {
			value := `"` + theirs.Value + `"`
			if !theirs.Quoted {
				value = strings.Trim(theirs.Value, " \t") // as RFC 6265, section 5.2, has it
			}
			if want := theirs.Name + "=" + value; !ok || string(c.pair) != want {
				t.Errorf("%q is the cookie %q, %t, and to net/http %q", text, c.pair, ok, want)
			}
			if theirs.MaxAge < 0 && !c.gone || theirs.MaxAge > 0 && c.gone {
				t.Errorf("%q: gone %t, and net/http has a maximum age of %d", text, c.gone, theirs.MaxAge)
			}
		}
		if !ok {
			return
		}
		if bytes.ContainsAny(c.pair, "\r\n\x00;") || bytes.IndexByte(c.pair, '=') < 1 {
			t.Fatalf("%q is the cookie %q", text, c.pair)
		}
		if strings.ContainsAny(have, "\r\n") {
			return // no cookies
		}
		list := withCookie([]byte(have), c)
		n := 0
		for pair := range pairs(list) {
			if sameName(pair, c.pair) {
				n++
			}
		}
		if n > 1 || c.gone && n > 0 {
			t.Errorf("%q with %q is %q", have, text, list)
		}
		cookies, rest := cutCookies(append(cookieLine(list), "X: y\r\n"...))
		if !bytes.Equal(cookies, list) || string(rest) != "X: y\r\n" {
			t.Errorf("%q is cut into %q and %q", list, cookies, rest)
		}
	})
}
