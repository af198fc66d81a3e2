package cli

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"example.org/comet/cmd/internal/flags"
	"example.org/comet/cmd/internal/live"
	"example.org/comet/cmd/internal/version"
)

// watch opens the live page of a run, and prints where it is. Without --metrics the
// page is nil. closePage is called when the command has said everything; the page is
// there until then.
func watch(env *Env, m *flags.Metrics, title string) (page *live.Server, closePage func(), err error) {
	if m.Address == "" {
		return nil, func() {}, nil
	}
	if host, err := os.Hostname(); err == nil {
		title += " on " + host
	}
	page, err = live.New(live.Config{Address: m.Address, Token: m.Token, Title: title, Version: version.Get().Version, Logger: env.Logger()})
	if err != nil {
		return nil, nil, usagef("--metrics: %w", err)
	}
	if env.verbosity >= 0 {
		fmt.Fprint(env.Stderr, page.Directions())
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := page.Run(ctx); err != nil {
			env.Logger().Warn("the live page has ended before the run", "error", err)
		}
	})
	return page, func() {
		cancel()
		serving.Wait()
	}, nil
}

// serverOf returns the scheme and the host of a URL, without a password, and without
// the rest, which may hold another secret.
func serverOf(url string) string {
	scheme, rest, _ := strings.Cut(url, "://")
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	return scheme + "://" + rest[strings.LastIndexByte(rest, '@')+1:]
}

// withReason returns what came of a run, in a sentence or two, and what went wrong.
func withReason(verdict string, err error) string {
	if err == nil {
		return verdict
	}
	reason := strings.TrimSuffix(strings.ReplaceAll(err.Error(), "\n", "; "), ".")
	first, size := utf8.DecodeRuneInString(reason)
	return strings.TrimSpace(verdict + " " + string(unicode.ToUpper(first)) + reason[size:] + ".")
}
