//go:build !nonats

package natsrouter

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.org/comet/server"
	"example.org/comet/server/natsrouter/natstest"
)

// childRouter and childFile have the test binary be a server on that router, with
// that file, until it is killed.
const (
	childRouter = "NATSROUTER_TEST_ROUTER"
	childFile   = "NATSROUTER_TEST_FILE"
)

// serveUntilKilled serves, prints where its admin listener is, and ends with
// its parent at the latest.
func serveUntilKilled(router, file string) {
	fail := func(err error) {
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	node, err := NewNode(context.Background(), NodeConfig{Servers: Servers{URLs: []string{router}}, Events: true})
	fail(err)
	s, err := server.New(server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Loops: 1, Exchange: node, Subscriptions: file})
	fail(err)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
	fmt.Println("admin", s.AdminAddr())
	fail(s.Run(context.Background()))
	os.Exit(1)
}

// child is such a server.
type child struct {
	*exec.Cmd
	t     *testing.T
	admin string
	stdin io.Closer
}

func startChild(t *testing.T, router, file string) *child {
	t.Helper()
	c := &child{Cmd: exec.Command(os.Args[0]), t: t}
	c.Env = append(os.Environ(), childRouter+"="+router, childFile+"="+file)
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	c.stdin = stdin
	line, err := bufio.NewReader(out).ReadString('\n')
	admin, ok := strings.CutPrefix(strings.TrimSpace(line), "admin ")
	if err != nil || !ok {
		c.kill()
		t.Fatalf("the child says %q, %v", line, err)
	}
	c.admin = admin
	return c
}

// kill kills it as kill -9 does.
func (c *child) kill() {
	_ = c.Process.Kill()
	_ = c.Wait()
	_ = c.stdin.Close()
}

// ask asks it something; code is 0 without an answer.
func (c *child) ask(method, path string) (code int, text string) {
	req, err := http.NewRequestWithContext(c.t.Context(), method, "http://"+c.admin+path, http.NoBody)
	if err != nil {
		c.t.Error(err)
		return 0, ""
	}
	req.Close = true
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, ""
	}
	return resp.StatusCode, string(b)
}

// changeUntilKilled changes what one follower follows, and returns the publishers of
// the changes that were answered.
func (c *child) changeUntilKilled(follower, first int, answered func()) map[int]bool {
	done := make(map[int]bool)
	for publisher := first; ; publisher++ {
		code, _ := c.ask("PUT", fmt.Sprintf("/subscriptions/%d/%d", follower, publisher))
		if code != http.StatusOK {
			return done
		}
		done[publisher] = true
		answered()
	}
}

// TestChangesKilled: two servers of which each is killed at some moment of a change
// have every change that either has answered, once both are back.
func TestChangesKilled(t *testing.T) {
	s := natstest.Start(t, nil)
	paths := []string{filepath.Join(t.TempDir(), "a.db"), filepath.Join(t.TempDir(), "b.db")} // are made
	want := []map[int]bool{{}, {}}                                                            // by follower
	for round := range 2 {
		children := []*child{startChild(t, s.ClientURL(), paths[0]), startChild(t, s.ClientURL(), paths[1])}
		var changing sync.WaitGroup
		var count atomic.Int32
		for i, c := range children {
			changing.Go(func() {
				maps.Copy(want[i], c.changeUntilKilled(i, 1000*round, func() {
					if count.Add(1) != int32(6+7*round) {
						return
					}
					for i, c := range children { // into the midst of the next ones
						time.AfterFunc(time.Duration((i+round)%2)*2*time.Millisecond, c.kill)
					}
				}))
			})
		}
		changing.Wait()
		children = []*child{startChild(t, s.ClientURL(), paths[0]), startChild(t, s.ClientURL(), paths[1])}
		for follower := range paths {
			waitAgree(t, children, follower, want[follower])
		}
		for _, c := range children {
			waitFor(t, "both to be ready", func() bool { code, _ := c.ask("GET", "/readyz"); return code == http.StatusOK })
			c.kill()
		}
	}
}

// waitAgree waits until servers say the same of a follower, and that has every change
// that was answered.
func waitAgree(t *testing.T, children []*child, follower int, want map[int]bool) {
	t.Helper()
	path := fmt.Sprint("/subscriptions/", follower)
	waitFor(t, "the servers to have every change that was answered", func() bool {
		_, a := children[0].ask("GET", path)
		_, b := children[1].ask("GET", path)
		if a != b || a == "" {
			return false
		}
		for publisher := range want {
			if !strings.Contains(strings.NewReplacer("[", ",", "]", ",").Replace(a), fmt.Sprintf(",%d,", publisher)) {
				return false
			}
		}
		return true
	})
}
