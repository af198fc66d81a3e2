//go:build system

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestSystemDocs does what README.md and the pages show, as a reader would: each page on a
// machine of its own, in order. A command must exit with what the page says of it. A block is
// run unless it is marked as text: then commands of the page must have printed its lines, but
// for the figures. One that is neither, nor listed with a reason, fails.
func TestSystemDocs(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	for name := range docsPages {
		if !slices.ContainsFunc(append(pages, "README.md"), func(p string) bool { return filepath.Base(p) == name }) {
			t.Errorf("there is no page %s", name)
		}
	}
	environ := goFolders(t)
	type work struct {
		name    string
		page    docsPage
		steps   []shownStep
		printed *docsPrinted
	}
	var (
		all      []work
		allSteps []shownStep
		printed  = make(map[string]*docsPrinted)
	)
	for _, path := range append(pages, "../../README.md") {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(path, "../")
		page, steps := docsPages[filepath.Base(path)], shownSteps(string(text))
		allSteps = append(allSteps, steps...)
		parts := page.divide(steps)
		printed[name] = newPrinted(steps, len(parts))
		for i, part := range parts {
			all = append(all, work{fmt.Sprintf("%s %d", name, i+1), page, part, printed[name]})
		}
	}
	checkTables(t, allSteps)
	// They wait more than they work. The longest come first.
	slices.SortStableFunc(all, func(a, b work) int { return len(b.steps) - len(a.steps) })
	slots := make(chan struct{}, 6)
	var group sync.WaitGroup
	for _, w := range all {
		group.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			t.Run(w.name, func(t *testing.T) { w.page.run(t, w.steps, environ, w.printed) })
		})
	}
	group.Wait()
	for name, p := range printed {
		t.Run(name+" output", p.check)
	}
}

// goFolders returns where Go keeps what it has built and fetched: the home of a machine is
// empty.
func goFolders(t *testing.T) (environ []string) {
	t.Helper()
	names := []string{"GOCACHE", "GOMODCACHE", "GOPATH"}
	for i, value := range strings.Fields(run(t, need(t, "go"), append([]string{"env"}, names...)...)) {
		environ = append(environ, names[i]+"="+value)
	}
	return environ
}

// A shownStep is what a page has a reader do: a command, or a file to write.
type shownStep struct {
	kind string // the word behind the fence, "row" for a command in a table, "span" for one in a sentence
	text string
	line int
}

// rowCommand is a cell of a table that is a command, spanCommand one in a sentence, and
// shownCommand a line.
var (
	spanCommand  = regexp.MustCompile("`(comet [a-z]+ [^`]+)`")
	rowCommand   = regexp.MustCompile("^`((?:\\./)?(?:comet|curl|ssh) [^`]*)`")
	shownCommand = regexp.MustCompile(`(?m)^(\./)?comet [a-z]`)
)

// shownSteps returns the commands of the blocks and tables of a page, and its other blocks
// whole.
func shownSteps(text string) (steps []shownStep) {
	kind, block, from := "", []string{}, 0
	for i, line := range strings.Split(text, "\n") {
		fence, isFence := strings.CutPrefix(line, "```")
		switch {
		case isFence && from == 0:
			kind, block, from = fence, nil, i+2
		case isFence && (kind == "" || kind == "sh"):
			steps, from = append(steps, commandsOf(block, from)...), 0
		case isFence:
			steps, from = append(steps, shownStep{kind, strings.Join(block, "\n") + "\n", from}), 0
		case from > 0:
			block = append(block, line)
		case strings.HasPrefix(line, "| "):
			// A bar within a cell is written with a backslash.
			for cell := range strings.SplitSeq(strings.ReplaceAll(line, `\|`, "\x00"), "|") {
				cell = strings.TrimSpace(strings.ReplaceAll(cell, "\x00", "|"))
				if m := rowCommand.FindStringSubmatch(cell); m != nil {
					steps = append(steps, shownStep{"row", m[1], i + 1})
				} else {
					steps = append(steps, spans(cell, i+1)...)
				}
			}
		default:
			steps = append(steps, spans(line, i+1)...)
		}
	}
	return steps
}

// spans returns the commands in a sentence. One word behind comet only names a command.
func spans(sentence string, line int) (steps []shownStep) {
	for _, m := range spanCommand.FindAllStringSubmatch(sentence, -1) {
		steps = append(steps, shownStep{"span", m[1], line})
	}
	return steps
}

// commandsOf cuts a block into whole commands, each of one line or more.
func commandsOf(block []string, from int) (steps []shownStep) {
	command := ""
	for i, line := range block {
		command += line
		if strings.HasSuffix(line, `\`) || exec.Command("bash", "-n", "-c", command).Run() != nil && i+1 < len(block) {
			command += "\n"
			continue
		}
		if strings.TrimSpace(command) != "" {
			steps = append(steps, shownStep{"", command, from + i})
		}
		command = ""
	}
	return steps
}

// divide puts experiments that need nothing of each other on machines of their own, so
// that they run beside each other.
func (p docsPage) divide(steps []shownStep) (machines [][]shownStep) {
	var rest []shownStep
	for _, s := range steps {
		if p.apart && alone.MatchString(s.text) {
			machines = append(machines, []shownStep{s})
		} else {
			rest = append(rest, s)
		}
	}
	return append(machines, rest)
}

// listed returns why a step does not run, nothing if it does.
func listed(s shownStep) (why string) {
	for _, l := range docsListed {
		if l.what.MatchString(s.text) {
			return l.why
		}
	}
	return ""
}

// toRun returns the steps without those that need not run, and logs why.
func toRun(t *testing.T, steps []shownStep) (left []shownStep) {
	t.Helper()
	for _, s := range steps {
		if why := listed(s); why != "" {
			t.Logf("line %d: not run: %s: %s", s.line, firstLine(s.text), why)
			continue
		}
		m := presetAlone.FindStringSubmatch(s.text)
		switch {
		case s.kind == "text" && shownCommand.MatchString(s.text):
			t.Errorf("line %d: what is to be output has a command:\n%s", s.line, s.text)
		case s.kind == "text":
		case m == nil:
			left = append(left, s)
		case hasRow(t, m[1]):
			t.Logf("line %d: run as a row of presets.md: %s", s.line, s.text)
		default:
			t.Errorf("line %d: presets.md has no row for %s", s.line, s.text)
		}
	}
	return left
}

// presetAlone is a command that leaves the rest to presets.md.
var presetAlone = regexp.MustCompile(`^(comet \S+ --preset \S+ )--url …`)

// hasRow reports whether presets.md has a whole command that begins so.
func hasRow(t *testing.T, beginning string) bool {
	t.Helper()
	text, err := os.ReadFile("../docs/presets.md")
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(shownSteps(string(text)), func(s shownStep) bool {
		return s.kind == "row" && strings.HasPrefix(s.text, beginning) && !strings.Contains(s.text, "…")
	})
}

// run does the steps.
func (p docsPage) run(t *testing.T, steps []shownStep, environ []string, printed *docsPrinted) {
	t.Helper()
	if steps = toRun(t, steps); len(steps) == 0 {
		printed.take(t, nil)
		return
	}
	for _, program := range append(p.needs, "curl", "pgrep") {
		need(t, program)
	}
	m := newMachine(t, append(slices.Concat(environ, docsEnviron), p.environ...))
	if p.clone {
		cloneInto(t, filepath.Join(m.folder, "clone"))
		// Where the tree itself is, so that Go finds what it has built of it.
		root, err := filepath.Abs("../..")
		if err != nil {
			t.Fatal(err)
		}
		m.do(shownStep{text: fmt.Sprintf("mount --bind . %[1]q && cd %[1]q", root)})
	}
	for name, text := range docsPrograms {
		if err := os.WriteFile(filepath.Join(m.folder, "home/.local/bin", name), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, g := range p.given {
		if slices.ContainsFunc(steps, func(s shownStep) bool { return strings.Contains(s.text, g.where) }) {
			m.do(shownStep{text: g.command})
		}
	}
	if p.host {
		m.startHost(p.nginx)
	}
	for _, s := range steps {
		m.do(s)
		if t.Failed() {
			break // what comes after needs it
		}
	}
	m.end("")
	printed.take(t, m)
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// cloneInto copies the tree as a clone has it, with what is not committed yet.
func cloneInto(t *testing.T, folder string) {
	t.Helper()
	tracked := strings.TrimSuffix(run(t, need(t, "git"), "-C", "../..", "ls-files", "-z"), "\x00")
	for name := range strings.SplitSeq(tracked, "\x00") {
		text, err := os.ReadFile(filepath.Join("../..", name))
		if os.IsNotExist(err) {
			continue
		}
		to := filepath.Join(folder, name)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(to), 0o755)
		}
		if err == nil {
			err = os.WriteFile(to, text, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// startHost starts the servers that the pages call HOST and web1: nginx before a comet
// server, and the stand-in for all that is not here.
func (m *machine) startHost(more string) {
	m.t.Helper()
	nginx := need(m.t, "nginx")
	config := filepath.Join(m.folder, "nginx.conf")
	if err := os.WriteFile(config, []byte(strings.NewReplacer("FOLDER", m.folder).Replace(strings.Replace(docsNginx, "MORE", more, 1))), 0o644); err != nil {
		m.t.Fatal(err)
	}
	m.open("env comet serve --listen 127.0.0.7:7000 --admin 127.0.0.7:7001", "streams on")
	m.open("standin 127.0.0.8:7000 HOST:3000 HOST:4000 HOST:5000 HOST:6001 HOST:8000 -- node app.js centrifugo mercure beam dotnet soketi", "")
	m.open(nginx+" -p "+m.folder+" -c "+config, "")
	code, out := m.run(`for i in $(seq 100); do curl -o /dev/null HOST/sub/1 --max-time 0.2; code=$?; [ $code != 28 ] || break; sleep 0.1; done; [ $code = 28 ]`)
	if code != "0" {
		text, _ := os.ReadFile(filepath.Join(m.folder, "error.log"))
		m.t.Fatalf("nginx does not answer: %s%s", out, text)
	}
}

// do does a step.
func (m *machine) do(s shownStep) {
	m.t.Helper()
	switch s.kind {
	case "", "sh", "row", "span":
		m.command(s)
	case "csv":
		if err := os.WriteFile(filepath.Join(m.folder, "clone", "users.csv"), []byte(s.text), 0o644); err != nil {
			m.t.Fatal(err)
		}
	case "go":
		m.goProgram(s)
	case "http":
		m.requests(s)
	case "yaml":
		m.manifest(s)
	default:
		m.t.Errorf("line %d: a block of %s is neither run nor listed:\n%s", s.line, s.kind, s.text)
	}
}

// command runs a command, or opens a terminal for one that goes on.
func (m *machine) command(s shownStep) {
	m.t.Helper()
	command := scaled(s.text)
	for _, o := range docsTerminals {
		if !o.command.MatchString(command) {
			continue
		}
		if o.one {
			m.end(strings.Join(strings.Fields(command)[:2], " "))
		}
		if o.names == nil {
			m.open(command, o.ready)
		}
		for _, name := range o.names {
			m.open("env COMET_NAME="+name+" "+command, o.ready)
		}
		return
	}
	begun := time.Now()
	code, out := m.run(command)
	m.t.Logf("line %d: %.1fs: %s", s.line, time.Since(begun).Seconds(), command)
	for _, c := range docsCodes {
		if c.command.MatchString(command) && slices.Contains(c.codes, code) {
			return
		}
	}
	if code != "0" {
		m.t.Errorf("line %d: exit code %s: %s\nrun as: %s\n%s", s.line, code, s.text, command, out)
	}
}

// scaled returns a command with the figures and names that a test can bear.
func scaled(command string) string {
	for _, s := range docsScaled {
		command = s.from.ReplaceAllString(command, s.to)
	}
	return command
}

// goProgram writes a program where the reader stands, and vets it.
func (m *machine) goProgram(s shownStep) {
	m.t.Helper()
	text := quoted(scaled(s.text))
	if code, out := m.run("printf '%s\\n' " + text + " > main.go && go mod tidy && go vet ."); code != "0" {
		m.t.Errorf("line %d: exit code %s, %s", s.line, code, out)
	}
}

// manifest checks what a container of Kubernetes is to run.
func (m *machine) manifest(s shownStep) {
	m.t.Helper()
	args := regexp.MustCompile(`(?s)args: \[(.*?)\]`).FindStringSubmatch(s.text)
	if args == nil {
		m.t.Fatalf("line %d: no args", s.line)
	}
	ctx, cancel := context.WithTimeout(m.t.Context(), time.Minute)
	defer cancel()
	words := strings.FieldsFunc(args[1], func(r rune) bool { return strings.ContainsRune(", \n", r) })
	if out, err := exec.CommandContext(ctx, "comet", append(words, "--help")...).CombinedOutput(); err != nil {
		m.t.Errorf("line %d: %q: %v\n%s", s.line, words, err, out)
	}
}
