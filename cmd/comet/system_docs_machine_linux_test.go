//go:build system

package main

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// A machine is a shell in namespaces of its own: its network has the addresses and
// names that the pages speak of, and no process is seen but its own. All of them
// end with it.
type machine struct {
	t         *testing.T
	folder    string
	in        io.Writer
	codes     chan string
	logs      int
	terminals []*terminal
}

// A terminal is a command that goes on until it is ended, as in a terminal of its own.
type terminal struct{ command, pid, log string }

// machineSetup is what a machine does first. The clone is where the reader stands.
const machineSetup = `ip link set lo up && ip addr add 10.0.0.1/32 dev lo && ip addr add 10.0.0.5/32 dev lo && ip addr add 10.0.0.6/32 dev lo &&
mount --bind hosts /etc/hosts && mount -t tmpfs none /usr/local/bin && cd clone`

// newMachine starts one. In its folder are a home and clone, where the
// shell is.
func newMachine(t *testing.T, environ []string) *machine {
	t.Helper()
	unshare := need(t, "unshare")
	m := &machine{t: t, folder: t.TempDir(), codes: make(chan string)}
	for _, dir := range []string{"home/.local/bin", "clone", "logs"} {
		if err := os.MkdirAll(filepath.Join(m.folder, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	hosts := "127.0.0.1 localhost\n127.0.0.2 HOST web1 push.example.org\n"
	for name, text := range map[string]string{"hosts": hosts, "home/.curlrc": "fail\nsilent\nshow-error\n"} {
		if err := os.WriteFile(filepath.Join(m.folder, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(unshare, "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "bash", "--norc")
	home := filepath.Join(m.folder, "home")
	cmd.Dir, cmd.ExtraFiles = m.folder, []*os.File{write}
	cmd.Env = append(os.Environ(), append(environ, "HOME="+home, "PATH="+filepath.Join(home, ".local/bin")+":"+os.Getenv("PATH"))...)
	failed := &output{}
	cmd.Stdout, cmd.Stderr = failed, failed
	if m.in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	write.Close()
	go func() {
		defer close(m.codes)
		for lines := bufio.NewScanner(read); lines.Scan(); {
			m.codes <- lines.Text()
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // and --kill-child the shell, and with it all of the namespace
		for range m.codes {
		}
		_ = cmd.Wait()
		read.Close()
	})
	if code, out := m.run(machineSetup); code != "0" {
		t.Skipf("namespaces cannot be made here (root can): %s%s", out, printed(failed))
	}
	return m
}

// ask runs a script in the shell and returns the line that it writes to file 3.
func (m *machine) ask(script string) (line string, err error) {
	if _, err := io.WriteString(m.in, script+"\n"); err != nil {
		return "", err
	}
	select {
	case line, ok := <-m.codes:
		if !ok {
			return "", errors.New("the shell has ended")
		}
		return line, nil
	case <-time.After(2 * time.Minute):
		return "", errors.New("it has not ended in 2 minutes")
	}
}

// quoted returns an expression of the shell that is a text.
func quoted(text string) string {
	return `"$(base64 -d <<<` + base64.StdEncoding.EncodeToString([]byte(text)) + `)"`
}

// newLog returns the file of what a command prints.
func (m *machine) newLog() string {
	m.logs++
	return filepath.Join(m.folder, "logs", fmt.Sprint(m.logs))
}

// run runs a command to its end in the shell, and returns its exit code and what it printed.
func (m *machine) run(command string) (code, out string) {
	m.t.Helper()
	log := m.newLog()
	code, err := m.ask(fmt.Sprintf(`eval %s </dev/null >%s 2>&1 3>&-; echo $? >&3`, quoted(command), log))
	text, _ := os.ReadFile(log)
	if err != nil {
		m.t.Fatalf("%s: %v\n%s", command, err, text)
	}
	return code, string(text)
}

// open starts a command that goes on, and waits until it has printed what matches.
func (m *machine) open(command, ready string) {
	m.t.Helper()
	log := m.newLog()
	pid, err := m.ask(fmt.Sprintf(`(eval exec %s) </dev/null >%s 2>&1 3>&- & echo $! >&3`, quoted(command), log))
	if err != nil {
		m.t.Fatalf("%s: %v", command, err)
	}
	m.terminals = append(m.terminals, &terminal{command, pid, log})
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		text, _ := os.ReadFile(log)
		if regexp.MustCompile(ready).Match(text) {
			return
		}
		if alive, _ := m.ask(fmt.Sprintf(`kill -0 %s 2>/dev/null; echo $? >&3`, pid)); alive != "0" || time.Now().After(end) {
			m.t.Fatalf("%s: has not printed %s:\n%s", command, ready, text)
		}
	}
}

// end ends the terminals whose commands begin with a text, the last first. Those of comet end
// in order; none may have ended before.
func (m *machine) end(beginning string) {
	m.t.Helper()
	var others []*terminal
	for _, one := range slices.Backward(m.terminals) {
		if !strings.HasPrefix(one.command, beginning) {
			others = append([]*terminal{one}, others...)
			continue
		}
		code, err := m.ask(fmt.Sprintf(`kill -0 %[1]s && kill -TERM %[1]s && wait %[1]s; echo $? >&3`, one.pid))
		if wrong := strings.Contains(one.command, "comet ") && code != "0"; err != nil || wrong || code == "1" {
			text, _ := os.ReadFile(one.log)
			m.t.Errorf("%s: ended with %s (%v)\n%s", one.command, code, err, text)
		}
	}
	m.terminals = others
}
