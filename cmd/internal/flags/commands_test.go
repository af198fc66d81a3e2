package flags

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"example.org/comet/flood"
	"example.org/comet/flood/pace"
	"example.org/comet/memlog"
	"example.org/comet/msggen"
	"example.org/comet/server"
	"example.org/comet/server/natsrouter"
)

// command is any of the commands, for what all of them have in common.
type command interface{ Bind(fs *pflag.FlagSet) }

func commands() map[string]command {
	return map[string]command{
		"flood": new(FloodCommand), "serve": new(ServeCommand), "msggen": new(MsggenCommand),
		"send": new(SendCommand), "router": new(RouterCommand), "memlog": new(MemlogCommand),
	}
}

func setOf(c command) *pflag.FlagSet {
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	c.Bind(fs)
	return fs
}

// TestHelpOfFlags: every flag is in a group that the help prints, says what it
// does in plain words, and takes no secret.
func TestHelpOfFlags(t *testing.T) {
	tics := regexp.MustCompile(`at the most|is no |so many|\baway\b|\bmend|a second\b|to come\b`)
	for name, c := range commands() {
		setOf(c).VisitAll(func(f *pflag.Flag) {
			switch {
			case f.Usage == "":
				t.Errorf("%s --%s has no help", name, f.Name)
			case !slices.Contains(Groups(), GroupOf(f)):
				t.Errorf("%s --%s is in group %q", name, f.Name, GroupOf(f))
			case tics.MatchString(f.Usage):
				t.Errorf("%s --%s: %s", name, f.Name, f.Usage)
			}
			secret := strings.Contains(f.Name, "token") || strings.Contains(f.Name, "credentials") || strings.Contains(f.Name, "password") || strings.HasSuffix(f.Name, "-key")
			if kind, _ := pflag.UnquoteUsage(f); secret && kind != "file" {
				t.Errorf("%s --%s takes a %s: a secret would stand on the command line", name, f.Name, kind)
			}
		})
	}
}

// TestDefaults: what the help calls the default is what the packages take for a
// zero Config.
func TestDefaults(t *testing.T) {
	var f FloodCommand
	setOf(&f)
	if c := f.Config; c.InFlight != 512 || c.Subscribers != 1 || c.Skip != 0 || c.ConnectTimeout != 30*time.Second || c.SampleInterval != time.Second || c.Connections != 0 || c.Pace != pace.Max {
		t.Errorf("flood: %+v", c)
	}
	var m MsggenCommand
	setOf(&m)
	if c := m.Config; c.Senders != 1 || c.Interval != msggen.DefaultInterval || c.Window != msggen.DefaultWindow || c.Reach != 1 || c.FirstID != 1 || c.Rate != 0 || c.Max || m.Publish.Connections != msggen.DefaultPublishConnections {
		t.Errorf("msggen: %+v", c)
	}
	if err := m.Config.Validate(); err != nil {
		t.Errorf("msggen: %v", err)
	}
	var s ServeCommand
	setOf(&s)
	if err := s.Config.Validate(); err != nil || s.Config.Engine != server.Auto || s.Config.KeepAlive != 5*time.Minute {
		t.Errorf("serve: %+v, %v", s.Config, err)
	}
	var r RouterCommand
	setOf(&r)
	if err := r.Config.Validate(); err != nil {
		t.Errorf("router: %+v, %v", r.Config, err)
	}
	var l MemlogCommand
	setOf(&l)
	if l.Config.Interval != memlog.DefaultInterval || l.Out != "-" {
		t.Errorf("memlog: %+v", l)
	}
}

// completed parses a command line and completes the command.
func completed(name, args string, getenv func(string) string) error {
	var complete func(fs *pflag.FlagSet, args []string) error
	var c command
	switch name {
	case "flood":
		o := new(FloodCommand)
		c, complete = o, o.Complete
	case "serve":
		o := new(ServeCommand)
		c, complete = o, func(fs *pflag.FlagSet, _ []string) error { return o.Complete(fs, getenv) }
	case "msggen":
		o := new(MsggenCommand)
		c, complete = o, func(fs *pflag.FlagSet, _ []string) error { return o.Complete(fs, getenv) }
	case "send":
		o := new(SendCommand)
		c, complete = o, func(fs *pflag.FlagSet, args []string) error { return o.Complete(fs, args, getenv) }
	case "router":
		o := new(RouterCommand)
		c, complete = o, func(*pflag.FlagSet, []string) error { return o.Complete(getenv) }
	case "memlog":
		o := new(MemlogCommand)
		c, complete = o, func(fs *pflag.FlagSet, _ []string) error { return o.Complete(fs, getenv) }
	}
	fs := setOf(c)
	if err := fs.Parse(strings.Fields(args)); err != nil {
		return err
	}
	return complete(fs, fs.Args())
}

// TestComplete: flags that contradict each other, or mean nothing alone.
func TestComplete(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	token, empty := file("token", "secret\n"), file("empty", "")
	for _, test := range []struct{ command, args, says string }{
		{"flood", "http://h/{id}", ""},
		{"flood", "--url http://h/{id} --interval 10ms", ""},
		{"flood", "--url http://h/ http://h/2", "given twice"},
		{"flood", "h/", "write http://h/"},
		{"flood", "http://h/ --interval 1s --connect-rate 5", "--connect-rate and --interval exclude each other"},

		{"flood", "http://h/ --metrics :9100", ""}, // whether there is a token is known where it listens
		{"flood", "http://h/ --metrics 9100", `"9100" is not an address: write host:port`},
		{"flood", "http://h/ --metrics=", `"" is not an address`},
		{"msggen", "--router nats://h --metrics :9100 --admin-token-file " + token, ""},
		{"msggen", "--router nats://h --admin-token-file " + token, "--admin-token-file is for sending without them"},
		{"msggen", "--publish http://h/ --metrics :9100 --admin-token-file " + token, ""},
		{"msggen", "--publish http://h/ --admin-token-file " + token, "--admin-token-file is for a comet server"},
		{"msggen", "--metrics :9100 --admin-token-file " + empty, "is empty"},

		{"serve", "", ""},
		{"serve", "--router nats://h --name a --interest all --without-router refuse --admin-token-file " + token, ""},
		{"serve", "--name a", "--name is for --router, which is not given"},
		{"serve", "--interest all", "--interest is for --router"},
		{"serve", "--without-router refuse", "--without-router is for --router"},
		{"serve", "--router-ca x", "--router-ca is for --router"},
		{"serve", "--router nats://h --name a.b", "without dots"},
		{"serve", "--router nats://h --router-cert " + token, "both files"},
		{"serve", "--admin-token-file " + empty, "is empty"},
		{"serve", "--admin-token-file " + dir, "is a directory"},

		{"msggen", "", ""},
		{"msggen", "--rate max", ""},
		{"msggen", "--rate 5 --interval 1s", "--rate and --interval both say when messages are due"},
		{"msggen", "--method PUT", "--method is for --publish, which is not given"},
		{"msggen", "-H a:b", "--header is for --publish"},
		{"msggen", "--body x", "--body is for --publish"},
		{"msggen", "--publish http://h/{id} --to http://h", "--to is for a comet server, --publish for any other"},
		{"msggen", "--publish http://h/{id} --admin-token-file " + token, "--admin-token-file is for a comet server"},
		{"msggen", "--router nats://h --to http://h", "--router sends through the routers, and --to is for sending without them"},
		{"msggen", "--router nats://h --publish http://h/{id}", "--publish is for sending without them"},
		{"msggen", "--subject-prefix x", "--subject-prefix is for --router"},
		{"msggen", "--router nats://h --router-credentials " + empty, "the router's credentials: the file"},

		{"send", "7 hi", ""},
		{"send", "7 hi --router nats://h --router-credentials " + token, ""},
		{"send", "x hi", `"x" is not an id`},
		{"send", "-- -7 hi", `"-7" is not an id`},
		{"send", "9223372036854775808 hi", "is not an id"},
		{"send", "7 hi --router nats://h --to http://h", "--to is for sending without them"},
		{"send", "7 hi --router-key x", "--router-key is for --router"},
		{"send", "7 hi --to ftp://h", "http"},

		{"router", "--credentials " + token, ""},
		{"router", "--credentials " + empty + " --admin-token-file " + dir, "is a directory"},

		{"memlog", "--pid 1", ""},
		{"memlog", "--match x --stats http://h/stats --admin-token-file " + token, ""},
		{"memlog", "", "say which process to watch"},
		{"memlog", "--pid 0", "is not a process id"},
		{"memlog", "--pid 1,x", "is not a process id"},
		{"memlog", "--pid 1 --admin-token-file " + token, "--admin-token-file goes with --stats"},
		{"memlog", "--mark x", "say which log to mark"},
		{"memlog", "--mark x -o log", ""},
		{"memlog", "--mark x -o log --pid 1", "--pid says nothing about an event"},
	} {
		err := completed(test.command, test.args, func(string) string { return "" })
		if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s %s: %v, want %q", test.command, test.args, err, test.says)
		}
	}
}

// TestEnvironment: a secret comes from the environment if no file is named.
func TestEnvironment(t *testing.T) {
	getenv := func(name string) string {
		return map[string]string{"COMET_ADMIN_TOKEN": "the token", "COMET_ROUTER_CREDENTIALS": "a:b"}[name]
	}
	var s ServeCommand
	fs := setOf(&s)
	if err := fs.Parse([]string{"--router", "nats://h"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Complete(fs, getenv); err != nil || s.Config.AdminToken != "the token" || s.Node.Servers.Credentials != "a:b" {
		t.Errorf("%+v, %v", s, err)
	}
	// And never goes back onto a command line.
	for _, arg := range Args(s) {
		if strings.Contains(arg, "the token") || strings.Contains(arg, "a:b") {
			t.Errorf("rendered as %q", arg)
		}
	}
}

// TestSettings: counts are numbers, all else is text, empty lists of counts are
// left out.
func TestSettings(t *testing.T) {
	var connections int
	var steps, none []int
	var header []string
	var wait time.Duration
	var interest natsrouter.Interest
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	Count(fs, &connections, "connections", "c", 10_000, "")
	Counts(fs, &steps, "steps", "")
	Counts(fs, &none, "none", "")
	Lines(fs, &header, "header", "", "")
	Duration(fs, &wait, "wait", "", time.Minute, "", None)
	Enum(fs, &interest, "interest", natsrouter.Block, "", natsrouter.Exact, natsrouter.Block)
	if err := fs.Parse(strings.Fields("-c 5k --steps 1k,2k --header a,b --header c --wait 0")); err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(Settings(fs))
	if want := "map[connections:5000 header:[a,b,c] interest:block steps:1000,2000 wait:0s]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if args := strings.Join(Given(fs, "steps"), " "); args != "--connections=5000 --header=a,b --header=c --wait=0s" {
		t.Errorf("given: %s", args)
	}
	if got := ValuesOf(fs.Lookup("interest")); !slices.Equal(got, []string{"exact", "block"}) {
		t.Errorf("--interest takes %q", got)
	}
	if got := FirstGiven(fs, "none", "wait", "steps"); got != "wait" {
		t.Errorf("first given: %s", got)
	}
	if got := Names(fs); len(got) != 6 {
		t.Errorf("names: %q", got)
	}
}

// TestGroup: what is in a group stays in it.
func TestGroup(t *testing.T) {
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	fs.Bool("before", false, "")
	Group(fs, Load, func() {
		fs.Bool("load", false, "")
		Group(fs, Target, func() { fs.Bool("target", false, "") })
	})
	for name, want := range map[string]string{"before": "", "load": Load, "target": Target} {
		if got := GroupOf(fs.Lookup(name)); got != want {
			t.Errorf("--%s is in %q, want %q", name, got, want)
		}
	}
}

// TestPace: two flags write one field, each in its own words.
func TestPace(t *testing.T) {
	for args, want := range map[string]pace.Pacer{
		"": pace.Max, "--connect-rate max": pace.Max, "--interval 0": pace.Max,
		"--connect-rate 1": {Events: 1, Per: time.Second}, "--connect-rate 2.5": {Events: 2_500_000_000, Per: 1e9 * time.Second},
		"--interval 10ms": pace.Every(10 * time.Millisecond), "--interval 1s": {Events: 1, Per: time.Second},
	} {
		var c FloodCommand
		if err := setOf(&c).Parse(strings.Fields(args)); err != nil || c.Config.Pace != want {
			t.Errorf("%s: %+v, %v; want %+v", args, c.Config.Pace, err, want)
		}
	}
}

// TestPassedOn: a flood that bench starts gets what a flood that a person starts
// does.
func TestPassedOn(t *testing.T) {
	cmd := FloodCommand{Config: flood.Config{URL: "http://127.0.0.1:1/test/{id}", Connections: 20, FirstID: 1025, LastID: 1044, Header: []string{"TE: chunked"}}, JSON: true, Attended: true}
	want := "--attended=true --connections=20 --header=TE: chunked --ids=1025-1044 --json=true --url=http://127.0.0.1:1/test/{id}"
	if got := strings.Join(Args(cmd), " "); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	router := Router{URLs: []string{"nats://a,b", "nats://c"}, Credentials: Secret{File: "-x"}}
	if got := strings.Join(router.Args(), " "); got != `--router="nats://a,b" --router=nats://c --router-credentials=-x` {
		t.Errorf("%s", got)
	}
	if got := new(Router).Args(); len(got) > 0 {
		t.Errorf("no router is passed on as %q", got)
	}
}
