package cli

import (
	"regexp"
	"strings"
	"testing"
)

// TestStart: comet alone prints where to begin, for the narrowest terminal, and each
// command of it is one.
func TestStart(t *testing.T) {
	text, code, err := execute(t.Context(), nil)
	if code != exitDone {
		t.Fatal(err)
	}
	for line := range strings.Lines(text) {
		if line = strings.TrimSuffix(line, "\n"); len(line) > 50 || strings.ContainsAny(line, "\t\r\x1b") {
			t.Errorf("%d columns, or more than text: %q", len(line), line)
		}
	}
	if lines := strings.Count(text, "\n"); lines > 24 {
		t.Errorf("%d lines do not fit a terminal", lines)
	}
	commands := make(map[string]bool)
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", "")) {
		line, isCommand := strings.CutPrefix(line, "  comet ")
		if !isCommand {
			continue
		}
		var args []string
		for i, part := range strings.Split(strings.TrimSpace(line), "'") {
			if i%2 == 1 { // between quotes
				args = append(args, part)
			} else {
				args = append(args, strings.Fields(part)...)
			}
		}
		commands[args[0]] = true
		if _, code, err := execute(t.Context(), nil, append(args, "--help")...); code != exitDone {
			t.Errorf("comet %s: exit code %d, %v", line, code, err)
		}
	}
	for _, name := range []string{"bench", "capacity", "memlog", "plot"} {
		if !commands[name] {
			t.Errorf("it does not name comet %s:\n%s", name, text)
		}
	}
	if full, _, _ := execute(t.Context(), nil, "--help"); !strings.Contains(full, "Commands:") || full == text {
		t.Errorf("comet --help is not the whole help: %s", full)
	}
}

// TestCommandsInColumns looks for what each command is for in one column.
func TestCommandsInColumns(t *testing.T) {
	t.Parallel()
	full, _, _ := execute(t.Context(), nil, "--help")
	_, list, _ := strings.Cut(full, "Commands:\n")
	list, _, _ = strings.Cut(list, "\n\n")
	column := regexp.MustCompile(`^  \S+ +`)
	for line := range strings.Lines(list) {
		if got, want := len(column.FindString(line)), len("  subscriptions "); got != want {
			t.Errorf("the text begins in column %d and not %d: %s", got, want, line)
		}
	}
	if !strings.Contains(list, "subscriptions") {
		t.Errorf("there are no commands: %s", full)
	}
}
