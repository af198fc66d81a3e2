package main

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The secrets of TestSecretsStayHidden. userToken is one of serve_tokens.txtar.
const (
	sentinel  = "S3NTINEL"
	userToken = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAiOjQxMDI0NDQ4MDAsImlkcyI6WyIzLTkiXX0.o_jyqFovVDFVe5gYKDchJl2QqABTyD9lg932Kq3TYbk"
)

// TestSecretsStayHidden runs every command that takes a token, with good ones and with
// bad ones, from files alone: no output, log, report or list of processes has them.
func TestSecretsStayHidden(t *testing.T) {
	if testing.Short() {
		t.Skip("runs bench")
	}
	t.Parallel()
	dir := t.TempDir()
	inputs := map[string]string{
		"admin.token": sentinel + "-admin", "wrong.token": sentinel + "-wrong", "secret": "0123456789abcdef0123456789abcdef",
		"users.csv":  "id,token,admin\n3," + userToken + "," + sentinel + "-admin\n4," + userToken + "," + sentinel + "-admin\n",
		"bad.csv":    "id,token\n1," + sentinel + ".1\n2," + sentinel + ".2\n",
		"bench.yaml": "header: 'X-Api-Key: " + sentinel + "-stream'\npublish-header: 'X-Api-Key: " + sentinel + "-publish'\n",
	}
	for name, text := range inputs {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	seen := watchProcesses(t)
	addr, admin := mustFreeAddr(t), mustFreeAddr(t)
	server := hiddenCommand(t, dir, "serve", "--listen", addr, "--admin", admin, "--admin-token-file", "admin.token", "--auth-key-file", "secret", "--access-log", "access.log", "--access-log-sample", "1", "-v")
	router := hiddenCommand(t, dir, "router", "--listen", mustFreeAddr(t), "--admin", mustFreeAddr(t), "--admin-token-file", "admin.token", "--credentials", "admin.token", "-v")
	for _, p := range []*exec.Cmd{server, router} {
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() {
			_ = p.Process.Kill()
			_ = p.Wait()
			checkHidden(t, p)
		}()
	}
	awaitAddr(t, addr)
	awaitAddr(t, admin)
	for _, args := range [][]string{
		{"send", "--to", "http://" + admin, "--admin-token-file", "admin.token", "-v", "3", "hi"},
		{"send", "--to", "http://" + admin, "--admin-token-file", "wrong.token", "-v", "3", "hi"},
		{"msggen", "--to", "http://" + admin, "--admin-token-file", "admin.token", "-v", "--count", "1", "--max-id", "3"},
		{"msggen", "--to", "http://" + admin, "--admin-token-file", "wrong.token", "-v", "--count", "1", "--max-id", "3"},
		{"msggen", "--publish", "http://" + admin + "/send/{id}?access_token={token}", "-H", "Authorization: Bearer {token}", "--users", "bad.csv", "-v", "--count", "1"},
		{"flood", "http://" + addr + "/test/{id}", "-H", "Authorization: Bearer {token}", "--users", "bad.csv", "-d", "100ms", "-v", "--log", "flood1.log"},
		{"flood", "ws://" + addr + "/ws/{id}?access_token={token}", "--users", "bad.csv", "-d", "100ms", "-v", "--json"},
		{"flood", "http://" + addr + "/test/{id}?access_token={token}", "--users", "users.csv", "-d", "100ms", "-v", "--log", "flood2.log"},
		{"flood", "http://127.0.0.1:1/test/{id}?access_token={token}", "--users", "users.csv", "-d", "100ms", "-v"},
		{"bench", "--config", "bench.yaml", "--url", "http://" + addr + "/test/{id}?access_token={token}", "--users", "users.csv", "--publish", "http://" + admin + "/send/{id}", "--publish-header", "Authorization: Bearer {admin}", "-c", "2", "-r", "10", "-d", "1s", "--idle", "1s", "--out", "report", "--force", "-v", "--pid", fmt.Sprint(server.Process.Pid)},
	} {
		p := hiddenCommand(t, dir, args...)
		_ = p.Run() // some are refused
		checkHidden(t, p)
	}
	if found := seen(); found != "" {
		t.Errorf("the list of processes shows %s", found)
	}
	checkFiles(t, dir, inputs)
}

// hiddenCommand prepares a command whose environment has a secret as well.
func hiddenCommand(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	p := exec.CommandContext(ctx, "comet", args...)
	p.Dir = dir
	if args[0] == "bench" {
		p.Env = append(os.Environ(), "COMET_ADMIN_TOKEN="+sentinel+"-admin")
	}
	var out strings.Builder
	p.Stdout, p.Stderr = &out, &out // of one writer exec makes one copy
	return p
}

// checkHidden looks for secrets in what an ended command has printed.
func checkHidden(t *testing.T, p *exec.Cmd) {
	t.Helper()
	if out := p.Stdout.(*strings.Builder).String(); hasSecret(out) {
		t.Errorf("comet %s prints a secret: %s", strings.Join(p.Args[1:], " "), out)
	} else if p.Args[1] == "bench" && p.ProcessState.ExitCode() != 0 {
		t.Errorf("bench failed: %s", out)
	}
}

func hasSecret(text string) bool {
	return strings.Contains(text, sentinel) || strings.Contains(text, userToken[len(userToken)-20:])
}

// checkFiles looks for secrets in all files that the commands have written.
func checkFiles(t *testing.T, dir string, inputs map[string]string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if _, is := inputs[d.Name()]; err != nil || is || !d.Type().IsRegular() {
			return err
		}
		files++
		text, err := os.ReadFile(path)
		if hasSecret(string(text)) {
			t.Errorf("%s has a secret", strings.TrimPrefix(path, dir))
		}
		return err
	})
	if err != nil || files < 5 {
		t.Errorf("%d files were looked at, error %v", files, err)
	}
}

// watchProcesses looks for secrets in the list of processes until seen is called, which
// returns what was found. There is a list on Linux.
func watchProcesses(t *testing.T) (seen func() string) {
	t.Helper()
	stop, found := make(chan struct{}), make(chan string, 1)
	go func() {
		first := ""
		for {
			lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
			for _, path := range lines {
				if line, _ := os.ReadFile(path); first == "" && hasSecret(string(line)) {
					first = strings.ReplaceAll(string(line), "\x00", " ")
				}
			}
			select {
			case <-stop:
				found <- first
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	}()
	return func() string {
		close(stop)
		return <-found
	}
}

func mustFreeAddr(t *testing.T) string {
	t.Helper()
	addr, err := freeAddr()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// awaitAddr waits until somebody listens at addr.
func awaitAddr(t *testing.T, addr string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(end) {
			t.Fatalf("nobody listens at %s: %v", addr, err)
		}
	}
}
