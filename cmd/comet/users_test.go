package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"example.org/comet/cmd/internal/cli"
)

// A guarded server streams to those who show the token of a user: GET /sub with
// it, and POST /pub, whose JSON names a user and has their token too, to all
// connections of that user.
type guarded struct {
	*httptest.Server

	mu      sync.Mutex
	users   map[string]string // by token
	streams map[string][]chan string
	most    int // streams at a time
	n       int
}

func newGuarded(t *testing.T, users map[string]string) *guarded {
	t.Helper()
	g := &guarded{users: users, streams: map[string][]chan string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /sub", g.stream)
	mux.HandleFunc("POST /pub", g.publish)
	g.Server = httptest.NewServer(mux)
	t.Cleanup(func() {
		g.CloseClientConnections()
		g.Close()
	})
	return g
}

func (g *guarded) userOf(token string) (user string, known bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	user, known = g.users[token]
	return user, known
}

func (g *guarded) stream(w http.ResponseWriter, r *http.Request) {
	user, known := g.userOf(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	if !known {
		w.Header().Set("WWW-Authenticate", `Bearer realm="users"`)
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	}
	messages := make(chan string, 1000)
	g.mu.Lock()
	g.streams[user] = append(g.streams[user], messages)
	g.n++
	g.most = max(g.most, g.n)
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.n--
		for i, c := range g.streams[user] {
			if c == messages {
				g.streams[user] = append(g.streams[user][:i:i], g.streams[user][i+1:]...)
			}
		}
	}()
	flush := http.NewResponseController(w).Flush
	for {
		if flush() != nil {
			return
		}
		select {
		case m := <-messages:
			_, _ = io.WriteString(w, m+"\n")
		case <-r.Context().Done():
			return
		}
	}
}

func (g *guarded) publish(w http.ResponseWriter, r *http.Request) {
	var m struct{ To, Token, Data string }
	err := json.NewDecoder(r.Body).Decode(&m)
	if user, _ := g.userOf(m.Token); err != nil || user != m.To {
		http.Error(w, fmt.Sprintf("%+v: %v", m, err), http.StatusBadRequest)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.streams[m.To] {
		select {
		case c <- m.Data:
		default: // a test that is not read
		}
	}
}

// usersFile writes n users, each with an id and a token that have to be escaped.
func usersFile(t *testing.T, n int) (name string, users map[string]string) {
	t.Helper()
	users = map[string]string{}
	var b strings.Builder
	b.WriteString("token,id\n")
	for i := range n {
		id, token := fmt.Sprintf(`user "%d" ü`, i), fmt.Sprintf(`t/%d="x\`, i)
		users[token] = id
		fmt.Fprintf(&b, "\"%s\",\"%s\"\n", strings.ReplaceAll(token, `"`, `""`), strings.ReplaceAll(id, `"`, `""`))
	}
	name = filepath.Join(t.TempDir(), "users.csv")
	if err := os.WriteFile(name, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return name, users
}

// TestUsersLogIn: 300 users with a token each, and one with a wrong one.
func TestUsersLogIn(t *testing.T) {
	const n = 300
	file, users := usersFile(t, n)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		file, stdin string
		code, in    int
	}{
		"all":            {file, "", 0, n},
		"from stdin":     {"-", string(text), 0, n},
		"one is unknown": {"-", string(text) + "wrong,mallory\n", 1, n},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGuarded(t, users)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var out, errs bytes.Buffer
			in := &watched{Buffer: &out, seen: func(line string) {
				if strings.Contains(line, fmt.Sprintf(`"connected":%d,`, n)) && strings.Contains(line, fmt.Sprintf(`"failed":%d,`, c.code)) {
					cancel()
				}
			}}
			env := &cli.Env{Stdin: strings.NewReader(c.stdin), Stdout: in, Stderr: &errs, Getenv: noEnv}
			code := cli.Run(ctx, env, []string{"flood", g.URL + "/sub", "-H", "Authorization: Bearer {token}", "--users", c.file, "--json"})
			g.mu.Lock()
			most := g.most
			g.mu.Unlock()
			if most != c.in || code != c.code {
				t.Errorf("%d got in, want %d; exit code %d, want %d", most, c.in, code, c.code)
			}
			said := errs.String()
			if explained := strings.Contains(said, "401 Unauthorized") && strings.Contains(said, `asks for Bearer realm="users"`); explained != (c.code == 1) {
				t.Errorf("exit code %d: %s", code, said)
			}
		})
	}
}

// watched is a buffer that shows what is written.
type watched struct {
	*bytes.Buffer
	seen func(line string)
}

func (w *watched) Write(p []byte) (int, error) {
	w.seen(string(p))
	return w.Buffer.Write(p)
}

// TestUsersExitCode: one user who is not let in makes the exit code 1, and the first
// line says why, as users.md shows.
func TestUsersExitCode(t *testing.T) {
	file, users := usersFile(t, 3)
	g := newGuarded(t, users)
	args := []string{"flood", g.URL + "/sub", "-H", "Authorization: Bearer {token}", "--users", file, "-d", "1s"}
	if code, first := said(t, args...); code != 0 {
		t.Errorf("exit code %d: %s", code, first)
	}
	g.mu.Lock()
	for token := range users {
		delete(users, token)
		break
	}
	g.mu.Unlock()
	code, first := said(t, args...)
	if code != 1 || !strings.Contains(first, "401 Unauthorized") || !strings.Contains(first, `Bearer realm="users"`) {
		t.Errorf("exit code %d: %s", code, first)
	}
	page, err := os.ReadFile("../docs/users.md")
	if err != nil || !strings.Contains(string(page), "\n"+strings.TrimSpace(first)+"\n") {
		t.Errorf("users.md does not show %q (%v)", first, err)
	}
}

// TestUsersBench: the account holds with ids that are text, with several connections
// of each user, and over several floods.
func TestUsersBench(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("runs bench")
	}
	for name, c := range map[string]struct {
		users, connections int
		limit              string // of open files
		each               int
	}{
		"a connection each":       {60, 60, "", 1},
		"the first of the users":  {300, 50, "", 1},
		"three each":              {20, 60, "", 3},
		"over several floods":     {60, 60, "ulimit -n 106; ", 1},
		"three each over several": {20, 60, "ulimit -n 106; ", 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.limit != "" && runtime.GOOS != "linux" {
				t.Skip("needs ulimit")
			}
			file, users := usersFile(t, c.users)
			g := newGuarded(t, users)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			folder := filepath.Join(t.TempDir(), "report")
			args := []string{
				"bench", "-q", "--url", g.URL + "/sub", "-H", "Authorization: Bearer {token}", "--users", file,
				"--publish", g.URL + "/pub", "--body", `{"to":"{id}","token":"{token}","data":{message}}`,
				"-c", fmt.Sprint(c.connections), "-r", "100", "-d", "1s", "--idle", "1s", "--distribution", "hot", "--out", folder,
			}
			cmd := exec.CommandContext(ctx, "comet", args...)
			if c.limit != "" {
				cmd = exec.CommandContext(ctx, "sh", append([]string{"-c", c.limit + `exec comet "$@"`, "comet"}, args...)...)
			}
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			text, err := os.ReadFile(filepath.Join(folder, "result.json"))
			if err != nil {
				t.Fatal(err)
			}
			var r struct {
				Connections struct{ Established int }
				Messages    struct{ Sent, Expected, Delivered, Missing *int }
				Processes   struct{ List []struct{ Role string } }
			}
			if err := json.Unmarshal(text, &r); err != nil {
				t.Fatal(err)
			}
			floods := 0
			for _, p := range r.Processes.List {
				if p.Role == "flood" {
					floods++
				}
			}
			m := r.Messages
			if m.Sent == nil || m.Expected == nil || m.Delivered == nil || m.Missing == nil {
				t.Fatalf("something is unknown: %s", text)
			}
			if r.Connections.Established != c.connections || *m.Sent != 100 || *m.Expected != 100*c.each || *m.Delivered != *m.Expected || *m.Missing != 0 {
				t.Errorf("%d connections, %d sent, %d expected, %d delivered, %d missing", r.Connections.Established, *m.Sent, *m.Expected, *m.Delivered, *m.Missing)
			}
			if several := floods > 1; several != (c.limit != "") {
				t.Errorf("there were %d floods", floods)
			}
		})
	}
}
