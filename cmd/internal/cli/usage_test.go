package cli

import (
	"strings"
	"testing"
)

// TestUsageErrors: what a tired person mistypes is named, with the cure, and no
// usage text behind it.
func TestUsageErrors(t *testing.T) {
	for _, test := range []struct {
		args []string
		says string
	}{
		// A mistyped command.
		{[]string{"flod"}, `there is no command "flod": did you mean flood?`},
		{[]string{"server"}, `did you mean serve?`},
		{[]string{"benchmark"}, `did you mean bench?`},
		{[]string{"mgsgen"}, `did you mean msggen?`},
		{[]string{"docter"}, `did you mean doctor?`},
		{[]string{"-q", "sysctrl"}, `did you mean sysctl?`},
		{[]string{"help", "mmlog"}, `did you mean memlog?`},
		{[]string{"frobnicate"}, `there is no command "frobnicate"; see comet --help`},
		{[]string{"help", "frobnicate"}, `there is no command "frobnicate"`},
		{[]string{"completion", "tcsh"}, `no completion for "tcsh": use bash, zsh, fish or powershell`},
		{[]string{"completion"}, `takes a shell`},
		// A mistyped flag.
		{[]string{"flood", "--conections", "5"}, "unknown flag: --conections: did you mean --connections? (see comet flood --help)"},
		{[]string{"flood", "--conn=5"}, "did you mean --connect-rate?"},
		{[]string{"serve", "--max_connections", "5"}, "did you mean --max-connections?"},
		{[]string{"msggen", "--Rate", "5"}, "did you mean --rate?"},
		{[]string{"flood", "--loops", "5"}, "unknown flag: --loops: it is a flag of comet "},
		{[]string{"bench", "--events"}, "unknown flag: --events: it is a flag of comet msggen (see"}, // not: did you mean --agents?
		{[]string{"serve", "--frobnicate"}, "unknown flag: --frobnicate (see comet serve --help)"},
		{[]string{"serve", "-x"}, `unknown shorthand flag: 'x' in -x`},
		{[]string{"--frobnicate"}, "unknown flag: --frobnicate"},
		// One dash too few.
		{[]string{"flood", "-url", "http://h/{id}"}, "-url has one dash too few: write --url"},
		{[]string{"msggen", "-rate", "5"}, "-rate has one dash too few: write --rate"},
		{[]string{"msggen", "-rate=5"}, "-rate has one dash too few: write --rate=5"},
		{[]string{"plot", "-out", "mem.png", "mem.log"}, "-out has one dash too few: write --out"},
		{[]string{"bench", "-json"}, "write --json"},
		{[]string{"bench", "-help"}, "write --help"},
		{[]string{"-version"}, "write --version"},
		{[]string{"serve", "-verbose"}, "write --verbose"},
		{[]string{"flood", "http://h/", "-conections", "5"}, `--connections: "onections" is not a count: write 10000, 10k or 1M; or did you mean --connections?`},
		{[]string{"flood", "http://h/", "-durration=5s"}, "or did you mean --duration?"},
		// A value that begins with a dash.
		{[]string{"send", "123", "-5"}, "a value that begins with a dash goes behind --: comet send 123 -- -5"},
		{[]string{"send", "123", "-hello"}, "comet send 123 -- -hello"},
		{[]string{"send", "123", "- it's"}, `comet send 123 -- '- it'\''s'`},
		{[]string{"send", "123", "--hello world"}, "comet send 123 -- '--hello world'"},
		{[]string{"send", "-1", "hi"}, "comet send -- -1"},
		{[]string{"send", "--", "-1", "hi"}, `"-1" is not an id`},
		{[]string{"plot", "-o", "a.png", "-x.log"}, "comet plot -- -x.log"},
		{[]string{"flood", "--url", "http://a/", "http://b/"}, `the URL is given twice: "http://a/" and "http://b/"`},
		// No value, an empty one, and one of another kind.
		{[]string{"bench", "--rate"}, "--rate needs a value: --rate STRING"},
		{[]string{"bench", "-c"}, "--connections needs a value: --connections COUNT"},
		{[]string{"flood", "--url="}, "--url: the URL is empty: write http://host:port/path"},
		{[]string{"flood", "http://h/", "-c="}, `--connections: "=" is not a count`},
		{[]string{"serve", "--name="}, `--name: "" is empty: give a value, or leave --name out`},
		{[]string{"flood", "http://h/", "--json=maybe"}, `--json: "maybe" is neither true nor false: write --json or --json=false`},
		{[]string{"flood", "http://h/", "-d", "60"}, `--duration: "60" has no unit: write 60s`},
		{[]string{"flood", "http://h/", "-d", "1.5"}, `"1.5" has no unit: write 1.5s`},
		{[]string{"flood", "http://h/", "-d", "-5s"}, `"-5s" is not a duration`},
		{[]string{"flood", "http://h/", "-c", "-5"}, `"-5" is not a count`},
		{[]string{"flood", "http://h/", "--connect-rate", "NaN"}, `"NaN" is not a rate`},
		{[]string{"msggen", "--seed", "0x"}, `--seed: "0x" is not a whole number from 0`},
		{[]string{"serve", "--slow-client", "discnect"}, `"discnect" is unknown: did you mean disconnect? use disconnect or drop`},
		{[]string{"plot", "-o", "-", "--format", "pgn", "x"}, `"pgn" is unknown: did you mean png? use png, svg or pdf`},
		// A value that cannot work.
		{[]string{"msggen", "--rate", "1e308"}, "--rate: pace: a rate of 1e+308/s cannot be paced"},
		{[]string{"msggen", "--arrivals", "bursts:9000000G"}, "--arrivals: 9000000000000000 messages at once: write bursts:10000000 or less"},
		{[]string{"msggen", "--senders", "1G"}, "msggen: --senders is 1000000000: it must be from 1 to "},
		{[]string{"msggen", "--first-id", "9", "--max-id", "5"}, "--first-id is 9, above --max-id, which is 5"},
		{[]string{"msggen", "--arrivals", "poisson", "--rate", "max"}, "--arrivals: poisson arrivals need a rate, which max is not"},
		{[]string{"bench", "--senders", "1G"}, "--senders is 1000000000"},
		{[]string{"bench", "--interval", "1ns"}, "bench: a sample of the memory every 1ns: use 1ms or more, or 0 for the default"},
		{[]string{"bench", "-c", "9000000G"}, "bench: 9000000000000000 connections: use up to 1073741824"},
		{[]string{"bench", "--steps", "10,9000000G"}, "bench: 9000000000000000 connections: use up to 1073741824"},
		{[]string{"capacity", "--from", "9000000G"}, "bench: 9000000000000000 connections: use up to 1073741824"},
		{[]string{"bench", "--match", "(", "--url", "http://h/{id}"}, `--match: "(" is not a regular expression: missing closing ): `},
		// A URL without a scheme.
		{[]string{"flood", "127.0.0.1:8000/test/{id}"}, `"127.0.0.1:8000/test/{id}" has no scheme: write http://127.0.0.1:8000/test/{id}`},
		{[]string{"flood", "--url", "//h/{id}"}, "write http://h/{id}"},
		{[]string{"msggen", "--to", "127.0.0.1:8001/send"}, "write http://127.0.0.1:8001/send"},
		{[]string{"msggen", "--publish", "h/{id}"}, "write http://h/{id}"},
		{[]string{"send", "1", "hi", "--to", "localhost:8001"}, "write http://localhost:8001"},
		{[]string{"serve", "--router", "10.0.0.1:4222"}, "write nats://10.0.0.1:4222"},
		{[]string{"router", "--routes", "nats://a,b:6222"}, "write nats://b:6222"},
		{[]string{"memlog", "--pid", "1", "--stats", "h/stats"}, "write http://h/stats"},
		// Arguments.
		{[]string{"send", "123"}, `takes an id and a message: comet send 123 "Hello World"`},
		{[]string{"send", "Joe", "hi"}, `"Joe" is not an id: it must be a whole number from 0`},
		{[]string{"serve", "8000"}, `takes no argument, got "8000"`},
		{[]string{"bench", "http://h/{id}"}, `takes no argument, got "http://h/{id}": write --url 'http://h/{id}'`},
		{[]string{"flood", "--ids", "5-1", "http://h/{id}"}, "write FIRST-LAST"},
		{[]string{"flood", "http://h/{id}", "--connect-rate", "5", "--interval", "1s"}, "exclude each other"},
	} {
		got := refused(t, test.args...)
		if !strings.Contains(got, test.says) {
			t.Errorf("comet %q: %q, want %q", test.args, got, test.says)
		}
		if strings.Count(got, "\n") > 1 || strings.Contains(got, "Usage") {
			t.Errorf("comet %q: more than a sentence: %q", test.args, got)
		}
	}
}

// TestTwice: a flag given twice, where once is meant, is said and goes on, as it
// is what scripts do that put their defaults before "$@".
func TestTwice(t *testing.T) {
	for _, test := range []struct{ args, says string }{
		{"plot --align clock --align start --help", `--align is given twice, "clock" and "start": the last one counts`},
		{"bench -c 5 --connections=6 --help", `--connections is given twice, "5" and "6"`},
		{"bench -c5 -c=6 --help", `"5" and "6"`},
		{"bench -rmax -r 5 --help", `"max" and "5"`},
		{"bench --json --json=false --help", `--json is given twice, "true" and "false"`},
		{"bench --json --json -c 5 -c 5 --help", ""},
		{"flood -H a:b -H c:d --source-ip ::1 --source-ip ::2 --help", ""},
	} {
		env, out, errs := testEnv(nil)
		if code := Run(t.Context(), env, strings.Fields(test.args)); code != exitDone || out.String() == "" {
			t.Errorf("comet %s: exit code %d", test.args, code)
		}
		if got := errs.String(); (got == "") != (test.says == "") || !strings.Contains(got, test.says) {
			t.Errorf("comet %s: %q, want %q", test.args, got, test.says)
		}
	}
}

// TestNoUsageError: what looks like a mistake and is none.
func TestNoUsageError(t *testing.T) {
	for _, args := range [][]string{
		{"plot", "--title", "-rate", "--help"},
		{"flood", "-H", "-url", "-H", "b", "--help"},
		{"bench", "-qh"},
		{"bench", "-c10", "-c", "10", "-rmax", "--help"},
		{"bench", "--json", "--json", "--help"},
		{"flood", "--", "-url"},
		{"help", "doctor"},
		{"help"},
		{"__complete", "flood", "-url", "--rate", ""},
	} {
		if _, code, err := execute(t.Context(), nil, args...); code == exitUsage && !strings.Contains(err.Error(), `"-url"`) {
			t.Errorf("comet %q: %v", args, err)
		}
	}
}

// TestZero goes through the flags of every command: 0 means what its help says,
// or is refused with the least value.
func TestZero(t *testing.T) {
	means := map[string]string{ // what 0 stands for; the rest is refused
		"bench --interval": "1s, with connections counted less often from 17,000 on", "memlog --count-interval": "count for each line", "bench --loops": "one per core", "bench --nodes": "as few as hold them",
		"bench --seed": "pick one", "bench --size": "", "bench --duration": "",
		"capacity --interval": "1s, with connections counted less often from 17,000 on", "capacity --loops": "one per core", "capacity --nodes": "as few as hold them",
		"capacity --seed": "pick one", "capacity --size": "", "capacity --budget": "as long as it needs", "capacity --to": "as many connections as this machine can make",
		"flood --duration": "when interrupted", "flood --interval": "",
		"memlog --duration": "never", "msggen --count": "unlimited", "msggen --duration": "unlimited", "msggen --seed": "pick one", "msggen --size": "",
		"serve --connection-limit": "no limit", "serve --drain-delay": "", "serve --drain-spread": "no wait is asked for", "serve --max-ids-per-connection": "as many as", "serve --memory-limit": "no limit", "serve --heartbeat": "never", "serve --keepalive": "never",
		"serve --loops": "one per core", "serve --max-connections": "what the open-file limit allows",
	}
	env, _, _ := testEnv(nil)
	for _, cmd := range newRoot(env).Commands() {
		for _, f := range flagsOf(cmd) {
			switch f.Value.Type() {
			case "count", "duration", "rate", "uint64", "int", "shape", "list":
			default:
				continue
			}
			if f.Hidden && f.Name != "sample-interval" {
				continue
			}
			name := cmd.Name() + " --" + f.Name
			says, allowed := means[name]
			err := f.Value.Set("0")
			switch {
			case allowed && err != nil:
				t.Errorf("%s 0 is refused: %v", name, err)
			case allowed && says != "" && !strings.Contains(f.Usage, "0: "+says):
				t.Errorf("the help of %s does not say that 0 means %q: %s", name, says, f.Usage)
			case !allowed && err == nil && !checkedLater[name]:
				t.Errorf("%s 0 is taken", name)
			case !allowed && err != nil && !strings.Contains(err.Error(), "use ") && !strings.Contains(err.Error(), "write "):
				t.Errorf("%s 0: %v; want what to write", name, err)
			}
		}
	}
}

// checkedLater are refused once all flags are known: TestBenchRefuses and
// TestSysctlUsage have them.
var checkedLater = map[string]bool{"bench --repeat": true, "bench --steps": true, "sysctl --pid": true}
