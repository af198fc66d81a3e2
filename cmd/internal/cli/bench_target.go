package cli

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"example.org/comet/cmd/internal/bench"
	"example.org/comet/msggen"
)

// benchTarget are the flags of bench about a server that is not ours, and those
// of flood that concern ours as well.
type benchTarget struct {
	target         bench.Target
	urlFile, ids   string
	firstID, maxID count
	header         []string
	sources        []string
	timeout        duration

	publish        msggen.PublishConfig
	publishConns   count
	publishesFlags []string // what is for --publish
	targetFlags    []string // what is for --url
}

func (b *benchTarget) add(f *pflag.FlagSet) {
	b.publishConns = count(msggen.DefaultPublishConnections)
	b.timeout = duration(30 * time.Second)
	before := names(f)
	f.StringVar(&b.target.URL, "url", "", "measure a server that is there already: the `URL` of its streams, with {id} in it")
	f.StringVar(&b.urlFile, "urls", "", "the same with a `file` of URLs, one connection each in turn; - is standard input")
	f.StringVar(&b.ids, "ids", "", "with --url: the ids for {id}, `FIRST-LAST` (default 1 to the number of connections)")
	f.Int32SliceVar(&b.target.PIDs, "pid", nil, "with --url: measure the processes `N[,N...]` of this machine and their descendants")
	f.Lookup("pid").DefValue = "" // else the help says "default []"
	f.StringVar(&b.target.Match, "match", "", "with --url: measure the process whose command line matches the regular expression `PATTERN`, and its descendants")
	f.StringVar(&b.target.Log, "server-log", "", "with --url: a memory log that grows meanwhile, from the server's own host: a `FILE`, or - for standard input (see comet memlog)")
	inTarget := names(f)
	f.StringVar(&b.publish.URL, "publish", "", "with --url: the `URL` to send each message to by itself, with {id} in it (see comet msggen)")
	f.StringVar(&b.publish.Method, "method", "POST", "with --publish: the HTTP `method`")
	f.StringArrayVar(&b.publish.Header, "publish-header", nil, "with --publish: request header `\"Name: value\"`; repeatable (msggen's --header; -H goes to the streams)")
	f.StringVar(&b.publish.Body, "body", "", "with --publish: the body, `text` with {message} and {id} in it (default: the message)")
	f.Var(&b.publishConns, "publish-connections", "with --publish: how many connections, each with one request at a time")
	f.Var(&b.firstID, "first-id", "with --publish: the lowest id that gets messages (default: the connections' first)")
	f.Var(&b.maxID, "max-id", "with --publish: the highest id that gets messages (default: the connections' last)")
	inPublish := names(f)
	f.StringArrayVarP(&b.header, "header", "H", nil, "header `\"Name: value\"` of the streams' requests; repeatable")
	f.StringArrayVar(&b.sources, "source-ip", nil, "`address` to connect from: 10.0.0.2, 10.0.0.2-10.0.0.18 or 127.0.1.0/24; repeatable; divided among the floods")
	f.Var(&b.timeout, "connect-timeout", "how long a connection may wait for its first byte")
	b.targetFlags = without(inTarget, append(before, "url", "urls"))
	b.publishesFlags = without(inPublish, append(inTarget, "publish"))
}

// without is names that are not among others.
func without(names, others []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(others, name) })
}

func names(f *pflag.FlagSet) (all []string) {
	f.VisitAll(func(flag *pflag.Flag) { all = append(all, flag.Name) })
	return all
}

// ownServerFlags say how our server is run, which another is not.
var ownServerFlags = []string{"engine", "loops", "nodes", "interest", "router", "router-credentials", "router-ca", "router-cert", "router-key", "subject-prefix"}

// messageFlags say how messages are sent.
var messageFlags = []string{"duration", "senders", "distribution", "arrivals", "size", "seed", "window"}

// read completes cfg by what was given.
func (b *benchTarget) read(env *Env, f *pflag.FlagSet, cfg *bench.Config) error {
	cfg.Header, cfg.Sources, cfg.ConnectTimeout = b.header, b.sources, time.Duration(b.timeout)
	given := func(among ...string) string {
		for _, name := range among {
			if f.Changed(name) {
				return name
			}
		}
		return ""
	}
	foreign := f.Changed("url") || f.Changed("urls")
	if name := given(append(b.targetFlags, "publish")...); name != "" && !foreign {
		return usagef("--%s is about a server that is there already: say where its streams are (--url)", name)
	}
	if name := given(b.publishesFlags...); name != "" && !f.Changed("publish") {
		return usagef("--%s is for --publish, which is not given", name)
	}
	if !foreign {
		return nil
	}
	if name := given(ownServerFlags...); name != "" {
		return usagef("--%s is a setting of comet's own server, and --url names another: leave one of them out", name)
	}
	if err := b.readStreams(env, f, cfg); err != nil {
		return err
	}
	if b.target.Log == "-" {
		b.target.Stdin = env.Stdin
	}
	cfg.Target = &b.target
	cfg.Engine = ""
	if f.Changed("publish") {
		if b.publishConns == 0 {
			return usagef("--publish-connections 0 is none: write 1 or more")
		}
		b.publish.Connections = int(b.publishConns)
		b.target.Publish = &b.publish
		b.target.FirstMessageID, b.target.LastMessageID = int64(b.firstID), int64(b.maxID)
		return nil
	}
	if f.Changed("rate") && cfg.Rate != "none" {
		return usagef("--rate %s: say where messages go: --publish URL", cfg.Rate)
	}
	if name := given(messageFlags...); name != "" {
		return usagef("--%s is about messages: say where they go: --publish URL", name)
	}
	cfg.Rate = "none"
	return nil
}

// readStreams reads URLs and ids, of which there are as many connections unless
// their number was given.
func (b *benchTarget) readStreams(env *Env, f *pflag.FlagSet, cfg *bench.Config) (err error) {
	if b.urlFile == "-" && b.target.Log == "-" {
		return usagef("--urls and --server-log cannot both be standard input")
	}
	if b.urlFile != "" {
		if b.target.URLs, err = readURLs(env, b.urlFile); err != nil {
			return err
		}
	}
	if b.target.FirstID, b.target.LastID, err = parseIDRange(b.ids); err != nil {
		return err
	}
	if f.Changed("connections") || f.Lookup("steps") != nil && f.Changed("steps") {
		return nil
	}
	switch {
	case len(b.target.URLs) > 0:
		cfg.Connections = len(b.target.URLs)
	case b.target.LastID > 0:
		cfg.Connections = int(b.target.LastID - b.target.FirstID + 1)
	}
	return nil
}

// dropSettings takes out of the settings what says nothing about this run, and
// what is nobody else's business.
func (b *benchTarget) dropSettings(f *pflag.FlagSet, settings map[string]any) {
	f.VisitAll(func(flag *pflag.Flag) {
		ofTarget := flag.Name == "url" || flag.Name == "urls" || flag.Name == "publish" ||
			slices.Contains(b.targetFlags, flag.Name) || slices.Contains(b.publishesFlags, flag.Name)
		ofStreams := slices.Contains([]string{"header", "source-ip", "connect-timeout"}, flag.Name)
		if (ofTarget || ofStreams) && !flag.Changed {
			delete(settings, flag.Name)
		}
	})
	if b.target.URL == "" && len(b.target.URLs) == 0 {
		hideHeaders(settings, "header", b.header)
		return
	}
	for _, name := range ownServerFlags {
		delete(settings, name)
	}
	settings["rate"] = "none"
	if b.target.Publish != nil {
		settings["rate"] = f.Lookup("rate").Value.String()
		settings["method"] = b.publish.Method
		settings["publish-connections"] = int64(b.publishConns)
	} else {
		for _, name := range messageFlags {
			delete(settings, name)
		}
	}
	for _, name := range []string{"url", "publish"} {
		if text, ok := settings[name].(string); ok {
			settings[name] = password.ReplaceAllString(text, "//...@")
		}
	}
	hideHeaders(settings, "header", b.header)
	hideHeaders(settings, "publish-header", b.publish.Header)
}

var (
	password = regexp.MustCompile(`//[^/@]*@`)
	secret   = regexp.MustCompile(`(?i)auth|cookie|key|token|secret|password`)
)

// hideHeaders writes header lines as a setting, without what lets somebody in.
func hideHeaders(settings map[string]any, name string, lines []string) {
	if len(lines) == 0 {
		return
	}
	shown := make([]string, len(lines))
	for i, line := range lines {
		shown[i] = line
		if key, _, _ := strings.Cut(line, ":"); secret.MatchString(key) {
			shown[i] = key + ": ..."
		}
	}
	settings[name] = strings.Join(shown, "\n")
}

// checkTarget refuses what cannot be measured so.
func checkTarget(cfg *bench.Config) error {
	t := cfg.Target
	if t.URL != "" && len(t.URLs) > 0 {
		return usagef("--url and --urls both say where the streams are: give one of them")
	}
	witnesses := 0
	for _, given := range []bool{len(t.PIDs) > 0, t.Match != "", t.Log != ""} {
		if given {
			witnesses++
		}
	}
	if witnesses > 1 {
		return usageError{errors.New("--pid, --match and --server-log each say what is measured: give one of them")}
	}
	if t.Publish != nil {
		if err := t.Publish.Validate(); err != nil {
			return usageError{fmt.Errorf("--publish: %w", err)}
		}
	}
	return nil
}
