package flags

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

func TestParseCount(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "10": 10, "10k": 10_000, "1.5M": 1_500_000, "2G": 2_000_000_000, "10K": 10_000, "0.001k": 1,
		"": -1, "k": -1, "-1": -1, "10kk": -1, "1.5": -1, "0.0001k": -1, "1e3": -1, "NaNk": -1, "Infk": -1, "9223372036854775808": -1, "9e15G": -1, "1 k": -1,
	} {
		got, err := ParseCount(text)
		if want < 0 {
			got = -1
		}
		if (err == nil) != (want >= 0) || got != want {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
}

// TestCountFits: a count that the field of a flag does not hold is refused, on machines
// where an int has 32 bits.
func TestCountFits(t *testing.T) {
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	var one int
	var several []int
	var ids int64
	var messages uint64
	Count(fs, &one, "one", "", 1, "")
	Counts(fs, &several, "several", "")
	Count(fs, &ids, "ids", "", 1, "")
	Count(fs, &messages, "messages", "", 1, "")
	const large = "4294967297"
	for _, name := range []string{"ids", "messages"} {
		if err := fs.Set(name, large); err != nil || fs.Lookup(name).Value.String() != large {
			t.Errorf("--%s %s is %s, %v", name, large, fs.Lookup(name).Value, err)
		}
	}
	for _, name := range []string{"one", "several"} {
		err := fs.Set(name, large)
		switch {
		case strconv.IntSize == 64 && err != nil:
			t.Errorf("--%s %s: %v", name, large, err)
		case strconv.IntSize == 32 && (err == nil || !strings.Contains(err.Error(), "is too much: use 2147483647 or less")):
			t.Errorf("--%s %s is %s, %v", name, large, fs.Lookup(name).Value, err)
		}
	}
}

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "0s": 0, "60s": time.Minute, "1d": 24 * time.Hour, "1d12h": 36 * time.Hour, "0.5d": 12 * time.Hour, "1h30m": 90 * time.Minute,
		"": -1, "60": -1, "1.5": -1, "-1s": -1, "d": -1, "-1d": -1, "1d-1h": -1, "1dd": -1, "NaNd": -1, "1e9d": -1, "s": -1, "1 s": -1,
	} {
		got, err := ParseDuration(text)
		if want < 0 {
			got = -1
		}
		if (err == nil) != (want >= 0) || got != want {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
}

func TestParseRate(t *testing.T) {
	for text, want := range map[string]float64{
		"1000": 1000, "10k": 10_000, "0.5": 0.5, ".5": 0.5, "1e3": 1000,
		"": -1, "0": -1, "-1": -1, "max": -1, "NaN": -1, "Inf": -1, "1/s": -1,
	} {
		got, err := ParseRate(text)
		if want < 0 {
			got = -1
		}
		if (err == nil) != (want >= 0) || got != want {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
}

func FuzzNumbers(f *testing.F) {
	for _, text := range []string{"10k", "1.5M", "1d12h", "60", "0.5"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if n, err := ParseCount(text); n < 0 || err != nil && n != 0 {
			t.Errorf("%q: %d, %v", text, n, err)
		}
		if d, err := ParseDuration(text); d < 0 || err != nil && d != 0 {
			t.Errorf("%q: %v, %v", text, d, err)
		}
		if r, err := ParseRate(text); err == nil && !(r > 0) {
			t.Errorf("%q: %v", text, r)
		}
	})
}

// What a flag's 0 is in a Config: itself, none (below 0), or refused.
func TestZero(t *testing.T) {
	for _, test := range []struct {
		rules []Zero
		text  string
		want  time.Duration
		says  string
	}{
		{nil, "0", 0, ""},
		{[]Zero{None}, "0s", -1, ""},
		{[]Zero{None}, "5s", 5 * time.Second, ""},
		{[]Zero{Least(time.Second)}, "0s", 0, `"0s" is too little: use 1s or more`},
		{[]Zero{Least(time.Second)}, "999ms", 0, "use 1s or more"},
		{[]Zero{Least(time.Second)}, "1s", time.Second, ""},
		{[]Zero{LeastOr(time.Second, "leave it out")}, "0", 0, "use 1s or more, or leave it out"},
	} {
		var field time.Duration
		fs := pflag.NewFlagSet("", pflag.ContinueOnError)
		Duration(fs, &field, "wait", "", time.Minute, "", test.rules...)
		err := fs.Lookup("wait").Value.Set(test.text)
		if err == nil != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) || err == nil && field != test.want {
			t.Errorf("%s: %v, %v; want %v, %q", test.text, field, err, test.want, test.says)
		}
		if err != nil && field != time.Minute {
			t.Errorf("%s was refused and left %v", test.text, field)
		}
	}
}

func TestNearest(t *testing.T) {
	words := []string{"bench", "serve", "send", "msggen", "flood", "memlog", "connections", "connect-rate", "url"}
	for word, want := range map[string]string{
		"flod": "flood", "fload": "flood", "floood": "flood", "lfood": "flood", "benchmark": "bench", "mem": "memlog",
		"conections": "connections", "connection": "connections", "connect": "connections", "ur": "url", "sned": "send", "server": "serve",
		"": "", "x": "", "frobnicate": "", "bus": "", "curl": "url",
	} {
		if got := Nearest(word, words); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}

func ExampleFormatSources() {
	a := netip.MustParseAddr("127.0.0.254")
	fmt.Println(FormatSources([]netip.Addr{a, a.Next(), a.Next().Next(), a, netip.MustParseAddr("::1")}))
	// Output: [127.0.0.254-127.0.1.0 127.0.0.254 ::1]
}

func ExampleArgs() {
	cmd := FloodCommand{JSON: true}
	cmd.Config.URL, cmd.Config.Connections = "http://127.0.0.1:8000/test/{id}", 10_000
	cmd.Config.Header = []string{"X-Note: a, b"}
	for _, arg := range Args(cmd) {
		fmt.Println(arg)
	}
	// Output:
	// --connections=10000
	// --header=X-Note: a, b
	// --json=true
	// --url=http://127.0.0.1:8000/test/{id}
}

// TestLists: elements with commas are quoted, and an empty list is a mistake.
func TestLists(t *testing.T) {
	var urls []string
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	natsURLs(fs, &urls, "router", "")
	for _, text := range []string{"", `"nats://a`, "nats://a,,nats://b", "a:4222"} {
		if err := fs.Set("router", text); err == nil {
			t.Errorf("%q was read as %q", text, urls)
		}
	}
	urls = nil
	if err := fs.Parse([]string{"--router", "nats://a,nats://b", "--router", `"nats://c,d"`}); err != nil || strings.Join(urls, " ") != "nats://a nats://b nats://c,d" {
		t.Errorf("%q, %v", urls, err)
	}
	l := fs.Lookup("router").Value.(pflag.SliceValue)
	if err := l.Replace([]string{"nats://x"}); err != nil || len(urls) != 1 || fs.Lookup("router").Value.String() != "[nats://x]" {
		t.Errorf("%q, %v", urls, err)
	}
	if err := l.Append("nats://y"); err != nil || len(urls) != 2 {
		t.Errorf("%q, %v", urls, err)
	}
}
