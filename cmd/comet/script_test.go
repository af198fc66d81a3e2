package main

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"example.org/comet/cmd/internal/cli"
)

var update = flag.Bool("update", false, "write what the commands print into the scripts")

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) != "comet" {
		// The tests hardly use the processor: they wait for commands that wait.
		_ = flag.Set("test.parallel", "4") // the flag is there; a command line overrides it
	}
	if filepath.Base(os.Args[0]) != "comet" && signal.Ignored(syscall.SIGHUP) {
		// Under nohup the commands would inherit that, and ignore it as they are to.
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
	testscript.Main(m, map[string]func(){
		"comet":       func() { os.Exit(cli.Main(os.Args[1:])) },
		"smallserver": smallServer,
		"standin":     standIn,
	})
}

// TestScripts runs testdata/script/*.txtar: command lines with their output and
// exit codes. $ADDR, $ADMIN, $ROUTER and the same with a 2 are addresses on which
// nobody listens.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			names := []string{"ADDR", "ADMIN", "ADDR2", "ADMIN2", "ROUTER"}
			addrs, err := freeAddrs(len(names))
			for i, addr := range addrs {
				env.Setenv(names[i], addr)
			}
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"again": again,
			"await": await,
			"code":  code,
			"get":   get,
			"post":  post,
			"put":   put,
		},
	})
}

// moments are how long a process gets for what it does not tell of. One that was
// too short on a busy machine is followed by the next.
var moments = []time.Duration{300 * time.Millisecond, time.Second, 5 * time.Second}

// freeAddrs returns n addresses that were free a moment ago. On Linux they are of a host
// of their own, so that no other test that asks for any port is given one of them.
func freeAddrs(n int) (addrs []string, err error) {
	host := "127.0.0.1"
	if runtime.GOOS == "linux" {
		host = fmt.Sprintf("127.%d.%d.%d", 20+rand.IntN(180), rand.IntN(256), 1+rand.IntN(254))
	}
	for range n {
		ln, err := net.Listen("tcp", host+":0")
		if err != nil {
			return nil, err
		}
		defer ln.Close() // when all are found, so that they differ
		addrs = append(addrs, ln.Addr().String())
	}
	return addrs, nil
}

func freeAddr() (string, error) {
	addrs, err := freeAddrs(1)
	if err != nil {
		return "", err
	}
	return addrs[0], nil
}

// await ADDR waits until somebody listens there; await FILE PATTERN, until the
// file matches, and await URL PATTERN, until the answer does.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: await ADDR | await FILE PATTERN | await URL PATTERN")
	}
	there := func() bool {
		if len(args) == 2 {
			content, _ := os.ReadFile(ts.MkAbs(args[0]))
			if strings.HasPrefix(args[0], "http://") {
				content = answerOf(args[0])
			}
			return regexp.MustCompile(args[1]).Match(content)
		}
		conn, err := net.Dial("tcp", args[0])
		if err == nil {
			conn.Close()
		}
		return err == nil
	}
	for end := time.Now().Add(20 * time.Second); !there(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			ts.Fatalf("nothing at %s after 20 s", args[0])
		}
	}
}

// again PATTERN COMMAND… runs a command until what it prints matches, ten times at most.
func again(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: again PATTERN COMMAND [ARG…]")
	}
	for range 10 {
		ts.Check(ts.Exec(args[1], args[2:]...))
		if regexp.MustCompile("(?m)" + args[0]).MatchString(ts.ReadFile("stdout")) {
			return
		}
	}
	ts.Fatalf("%q did not print %q", args[1:], args[0])
}

// answerOf returns the body of a page, nothing if no server is there.
func answerOf(url string) []byte {
	answer, err := http.Get(url)
	if err != nil {
		return nil
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	return body
}

// post URL TEXT posts nothing, and the answer must hold the text.
func post(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: post URL TEXT")
	}
	answer, err := http.Post(args[0], "", nil)
	ts.Check(err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	ts.Check(err)
	if !strings.Contains(string(body), args[1]) {
		ts.Fatalf("POST %s is answered %s: %s", args[0], answer.Status, body)
	}
}

// put URL TEXT puts nothing there, and the answer must hold the text.
func put(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: put URL TEXT")
	}
	request, err := http.NewRequest(http.MethodPut, args[0], nil)
	ts.Check(err)
	answer, err := http.DefaultClient.Do(request)
	ts.Check(err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	ts.Check(err)
	if !strings.Contains(string(body), args[1]) {
		ts.Fatalf("PUT %s is answered %s: %s", args[0], answer.Status, body)
	}
}

// get URL PATTERN: the answer must match.
func get(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: get URL PATTERN")
	}
	answer, err := http.Get(args[0])
	ts.Check(err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	ts.Check(err)
	if !regexp.MustCompile(args[1]).Match(body) {
		ts.Fatalf("GET %s is answered %s: %s", args[0], answer.Status, body)
	}
}

// TestArticle compares the table of commands in cmd/docs/article.md with the
// script that runs them: each must be in both.
func TestArticle(t *testing.T) {
	page, err := os.ReadFile("../docs/article.md")
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("testdata/script/article.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var shown, run []string
	_, table, found := strings.Cut(string(page), "| the article's line | comet's line |")
	if !found {
		t.Fatal("the page has no table of the article's lines")
	}
	for line := range strings.Lines(table) {
		if cells := strings.Split(line, "|"); len(cells) == 4 && strings.Contains(cells[2], "`") {
			shown = append(shown, strings.Trim(strings.TrimSpace(cells[2]), "`"))
		} else if strings.TrimSpace(line) == "" && len(shown) > 0 {
			break
		}
	}
	for line := range strings.Lines(string(script)) {
		if command, ok := strings.CutPrefix(line, "# README: "); ok {
			run = append(run, strings.TrimSpace(command))
		}
	}
	if !slices.Equal(shown, run) {
		t.Errorf("the page shows\n  %s\nand the script runs\n  %s", strings.Join(shown, "\n  "), strings.Join(run, "\n  "))
	}
	if len(shown) == 0 {
		t.Error("the page's table is empty")
	}
}

// code N COMMAND… runs a command whose exit code must be N.
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N COMMAND [ARG…]")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
}
