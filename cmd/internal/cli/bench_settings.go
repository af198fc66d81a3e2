package cli

import (
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"example.org/comet/cmd/internal/flags"
	"example.org/comet/server/wire"
)

// notOfTheRun are flags that say nothing about what is measured.
var notOfTheRun = []string{"help", "quiet", "verbose", "force", "out", "json", "show", "metrics", "admin-token-file", insideOwnNetwork}

// settings returns the flags by name, as they stand in the result: without those
// that say nothing about this run, and without what is nobody else's business.
func (o *benchOptions) settings(f *pflag.FlagSet) map[string]any {
	m := flags.Settings(f)
	if o.Network.inside {
		m["own-network"] = "true"
	}
	drop(m, notOfTheRun...)
	optional := slices.Concat([]string{"config", "url", "urls", "source-ip", "connect-timeout", "users", "tls", "tls-resume", "resolve", "ramp", "reconnect", "churn", "storm", "slow-readers", "half-open", "subscribers", "subscriptions", "agents", "listen", sloFlag, failIfFlag}, flags.ClientTLSFlags(), talkFlags, targetFlags, publishOnly)
	for _, name := range optional {
		if !f.Changed(name) {
			drop(m, name)
		}
	}
	hideHeaders(m, "header", o.Config.Streams.Header)
	for _, name := range talkFlags {
		if text, ok := m[name].(string); ok && name != "header" && secret.MatchString(text) {
			m[name] = "..."
		}
	}
	target := o.Config.Target
	if target == nil {
		m["engine"] = string(o.Config.Engine) // not "auto"
		return m
	}
	drop(m, ownServerFlags...)
	if !o.Config.Agents.Given() {
		drop(m, routerFlags...)
	}
	if target.Publish == nil {
		drop(m, messageFlags...)
	} else {
		m["method"] = target.Publish.Method
		m["publish-connections"] = int64(target.Publish.Connections)
		hideHeaders(m, "publish-header", target.Publish.Header)
	}
	for _, name := range []string{"url", "publish"} {
		if text, ok := m[name].(string); ok {
			m[name] = wire.ShowURL(text)
		}
	}
	return m
}

// command returns what repeats the experiment: the flags that were given, also by a
// preset or a file, without what is nobody else's business.
func (o *benchOptions) command(f *pflag.FlagSet) []string {
	words := []string{"comet", f.Name()}
	if o.Network.inside {
		words = append(words, "--own-network")
	}
	given := flags.Given(f, append([]string{"preset", "config", "own-network"}, notOfTheRun...)...)
	for _, word := range given {
		words = append(words, withoutSecret(word))
	}
	return words
}

// withoutSecret writes a flag and its value without what lets somebody in.
func withoutSecret(argument string) string {
	name, value, _ := strings.Cut(strings.TrimPrefix(argument, "--"), "=")
	shown, _ := hideSecret(name, value)
	return "--" + name + "=" + shown
}

// talkFlags say how streams are spoken, which may hold a token.
var talkFlags = []string{"header", "protocol", "stream-method", "stream-body", "first-message", "ready", "reply", "send-every", "subprotocol"}

func drop(m map[string]any, names ...string) {
	for _, name := range names {
		delete(m, name)
	}
}

// secret is in the name of what lets somebody in.
var secret = regexp.MustCompile(`(?i)auth|cookie|key|token|secret|password`)

// hideHeaders writes header lines as a setting, without what lets somebody in.
func hideHeaders(settings map[string]any, name string, lines []string) {
	if len(lines) == 0 {
		return
	}
	shown := make([]string, len(lines))
	for i, line := range lines {
		shown[i] = withoutValue(line)
	}
	settings[name] = strings.Join(shown, "\n")
}

// withoutValue returns a header line without the value of one that lets somebody in.
func withoutValue(line string) string {
	if key, _, field := strings.Cut(line, ":"); field && secret.MatchString(key) {
		return key + ": ..."
	}
	return line
}

// hideSecret returns a value of a flag without what may be a secret, and reports
// whether there was any.
func hideSecret(flag, value string) (shown string, hidden bool) {
	switch text := append(flags.PublishOnly(), talkFlags...); {
	case strings.HasSuffix(flag, "header"):
		shown = withoutValue(value)
	case slices.Contains(text, flag) && secret.MatchString(value):
		shown = "..."
	default:
		shown = wire.ShowURL(value)
	}
	return shown, shown != value
}
