//go:build system

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// partState is a command in one of the states that something may end it in.
type partState struct {
	args []string
	// ready is on standard output once the state is reached; without it a moment
	// is enough.
	ready string
	// measured is on standard output of a run that ended in order.
	measured string
	// forever says that it has no planned end, so that an end is no failure; HUP
	// without a terminal then reopens logs, if reopens is set.
	forever, reopens bool
	// prints says that it writes to standard output as it goes on, and so notices
	// that its reader has gone.
	prints bool
	// draining says that it was asked to end once: it is the second request that
	// is tried.
	draining bool
}

// partStates returns them. The server at url runs, and a silent peer takes
// connections and says nothing.
func partStates(t *testing.T, url, admin, silent string) map[string]partState {
	t.Helper()
	pid := fmt.Sprint(os.Getpid())
	big := bigLog(t)
	server := []string{"serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}
	with := func(args []string, more ...string) []string { return append(append([]string{}, args...), more...) }
	return map[string]partState{
		"bench":                 {args: []string{"bench", "--out", "report", "-c", "100", "-r", "100", "--idle", "1s", "-d", "60s"}, ready: "bytes per connection (RSS", measured: `(?m)^  established +100`},
		"serve":                 {args: with(server, "--drain-delay", "500ms", "--drain-timeout", "500ms"), ready: "streams on", forever: true, reopens: true},
		"serve-silent-router":   {args: with(server, "--router", "nats://"+silent), forever: true, reopens: true},
		"serve-draining":        {args: with(server, "--drain-delay", "60s"), ready: "streams on", draining: true, reopens: true},
		"router":                {args: []string{"router", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, ready: "router on", forever: true, reopens: true},
		"flood":                 {args: []string{"flood", url, "-c", "3", "-d", "60s"}, ready: "Stats: {3,", measured: `(?m)^connected 3 of 3`, prints: true},
		"flood-without-end":     {args: []string{"flood", url, "-c", "3"}, ready: "Stats: {3,", measured: `(?m)^connected 3 of 3`, prints: true, forever: true},
		"flood-connecting":      {args: []string{"flood", url, "-c", "600", "--connect-rate", "10", "-d", "60s"}, ready: "Stats: {", measured: `(?m)^connected \d+ of 600`, prints: true},
		"flood-silent":          {args: []string{"flood", "http://" + silent + "/{id}", "-c", "3", "-d", "60s"}, ready: "Stats: {0,", measured: `(?m)^connected 0 of 3`, prints: true},
		"flood-reading":         {args: []string{"flood", "--urls", "-"}},
		"msggen":                {args: []string{"msggen", "--to", admin, "-r", "50", "--max-id", "9", "-d", "60s"}, ready: "sent ", measured: `seed \d+`, prints: true},
		"msggen-without-end":    {args: []string{"msggen", "--to", admin, "-r", "50", "--max-id", "9"}, ready: "sent ", measured: `seed \d+`, prints: true, forever: true},
		"msggen-silent":         {args: []string{"msggen", "--to", "http://" + silent, "-r", "50", "--max-id", "9", "-d", "60s"}},
		"msggen-silent-router":  {args: []string{"msggen", "--router", "nats://" + silent, "-r", "50", "--max-id", "9", "-d", "60s"}},
		"msggen-silent-publish": {args: []string{"msggen", "--publish", "http://" + silent + "/{id}", "-r", "50", "--max-id", "9", "-d", "60s"}, ready: "sent", measured: `seed \d+`, prints: true},
		"msggen-last-answers":   {args: []string{"msggen", "--publish", "http://" + silent + "/{id}", "-r", "50", "--max-id", "9", "-d", "100ms"}, measured: `seed \d+`, prints: true},
		"memlog":                {args: []string{"memlog", "--pid", pid, "--interval", "100ms", "-d", "60s"}, ready: "pid=", measured: `pid=`, prints: true, reopens: true},
		"memlog-without-end":    {args: []string{"memlog", "--pid", pid, "--interval", "100ms"}, ready: "pid=", measured: `pid=`, prints: true, forever: true, reopens: true},
		"memlog-silent-stats":   {args: []string{"memlog", "--pid", pid, "--interval", "100ms", "--stats", "http://" + silent + "/stats", "-d", "60s"}, ready: "pid=", measured: `pid=`, prints: true, reopens: true},
		"plot-reading":          {args: []string{"plot", "--out", "mem.png", "-"}},
		"plot-large":            {args: []string{"plot", "--out", "mem.png", big, big, big, big}},
		"send-reading":          {args: []string{"send", "1", "-"}},
		"send-silent":           {args: []string{"send", "--to", "http://" + silent, "1", "hi"}},
		"send-silent-router":    {args: []string{"send", "--router", "nats://" + silent, "1", "hi"}},
	}
}

// bigLog makes a log that takes a second to read.
func bigLog(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for i := range 1_000_000 {
		fmt.Fprintf(&b, "Mon Oct 20 16:57:24 BST 2008\t%d\t%d\t%d\n", 1224518244+i, 40388+i%1000, i%7)
	}
	path := filepath.Join(t.TempDir(), "big.log")
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
