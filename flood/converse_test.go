package flood

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// spoken is one exchange with a client of a WebSocket, in order: what begins with
// > is sent, its fragments parted by |, and what begins with < has to come.
type spoken []string

// speech is a server that goes through an exchange with each connection, and then
// holds it.
type speech struct {
	*server
	done  atomic.Int32 // connections that came to the end
	wrong atomic.Value // what came instead, as a string
}

func speak(t *testing.T, steps spoken) *speech {
	t.Helper()
	s := &speech{}
	s.server = serve(t, func(c *net.TCPConn, r *http.Request) {
		upgrade(c, r, "")
		p := &peer{c, bufio.NewReader(c)}
		for _, step := range steps {
			var code ws.StatusCode
			if n, _ := fmt.Sscanf(step, ">close %d", &code); n == 1 {
				say(c, closing(code, ""))
				continue
			}
			if step[0] == '>' {
				say(c, fragments(step[1:]))
				continue
			}
			want := strings.ReplaceAll(step[1:], "ID", strings.TrimPrefix(r.URL.Path, "/"))
			if op, got := p.next(); op != ws.OpText || got != want {
				s.wrong.Store(fmt.Sprintf("a frame of %x with %q came, want %q", op, got, want))
				return
			}
		}
		s.done.Add(1)
		hold(c)
	})
	return s
}

func fragments(text string) string {
	var b strings.Builder
	op := ws.OpText
	pieces := strings.Split(text, "|")
	for i, piece := range pieces {
		b.WriteString(framed(op, i == len(pieces)-1, piece))
		op = ws.OpContinuation
	}
	return b.String()
}

func TestConversation(t *testing.T) {
	for name, c := range map[string]struct {
		talk  Talk
		steps spoken
	}{
		"first messages": {Talk{FirstMessages: []string{"a", "b"}}, spoken{"<a", "<b"}},
		"one that waits": {
			Talk{FirstMessages: []string{"login {id}", `ok*=>join "{id}"`}},
			spoken{"<login ID", ">no", ">ok then", `<join "ID"`},
		},
		"each message answers one": {Talk{FirstMessages: []string{"*=>a", "*=>b"}}, spoken{">1", "<a", ">2", "<b"}},
		"two lines of one frame answer two": {
			Talk{FirstMessages: []string{`{"id":1*=>a`, `{"id":2*=>b`, "c"}},
			spoken{">{\"id\":1}\n{\"id\":2}\n", "<a", "<b", "<c"},
		},
		"a message that is waited for as a whole": {Talk{FirstMessages: []string{`x\ny=>a`}, Replies: []string{`p\nq=>b`}}, spoken{">x\ny", "<a", ">p\nq", "<b"}},
		"what comes first is not lost": {
			Talk{Ready: "ready", FirstMessages: []string{"b=>2"}},
			spoken{">a\nb\nready", "<2"},
		},
		"replies": {Talk{Replies: []string{"2=>3", "{}=>{}"}}, spoken{">2", "<3", ">{}", "<{}", ">22", ">2", "<3"}},
		"a ping among other lines, and two of them": {
			Talk{Replies: []string{"{}=>{}"}},
			spoken{">{\"push\":{}}\n{}\n{\"push\":{}}", "<{}", ">{}\n{}\n", "<{}", "<{}"},
		},
		"a ping in fragments": {Talk{Replies: []string{"ping*=>pong"}}, spoken{">pi|n|g 7|", "<pong"}},
		"record separators": {
			Talk{Ready: "{}", FirstMessages: []string{`{"protocol":"json"}\x1e`, `{}=>{"type":1}\x1e`}, Replies: []string{`{"type":6}=>{"type":6}\x1e`}},
			spoken{"<{\"protocol\":\"json\"}\x1e", ">{}\x1e{\"type\":6}\x1e", "<{\"type\":6}\x1e", "<{\"type\":1}\x1e"},
		},
		"heartbeats": {Talk{SendEvery: []string{`1ms=[null,"2","phoenix","heartbeat",{}]`}}, spoken{`<[null,"2","phoenix","heartbeat",{}]`, `<[null,"2","phoenix","heartbeat",{}]`}},
	} {
		for _, e := range engines() {
			t.Run(name+"/"+e.name, func(t *testing.T) {
				t.Parallel()
				const conns = 3
				s := speak(t, c.steps)
				r := flooded(t, e, Config{URL: s.url("/{id}"), Protocol: WebSocket, Connections: conns, Talk: c.talk, Duration: patience / 2}, func(counts Counts) bool {
					return counts.Connected == conns && s.done.Load() == conns || counts.Failed+counts.Closed > 0
				})
				if r.Failed+r.Closed != 0 || s.done.Load() != conns {
					t.Errorf("%d of %d came to the end, %d failed, %d were closed: %s", s.done.Load(), conns, r.Failed, r.Closed, s.wrong.Load())
				}
			})
		}
	}
}

// TestConversationExplained: what a server says instead of what is waited for is in the
// explanation.
func TestConversationExplained(t *testing.T) {
	for name, c := range map[string]struct {
		talk  Talk
		steps spoken
		says  []string
	}{
		"a refusal": {
			Talk{Ready: `{"id":2,"subscribe":*`, FirstMessages: []string{"hello"}, Replies: []string{"{}=>{}"}},
			spoken{"<hello", `>{"id":2,"error":{"code":103,"message":"permission denied"}}`, ">{}", "<{}"},
			[]string{"what --ready waits for did not come", "permission denied"},
		},
		"a refusal in fragments": {Talk{Ready: "yes"}, spoken{">n|o| n|ever"}, []string{"no never"}},
		"half a refusal":         {Talk{Ready: "yes"}, spoken{">well, ", ">no"}, []string{`begins "no"`}},
		"a token that is wrong":  {Talk{Ready: "yes"}, spoken{">close 3500"}, []string{"before it was ready", "code 3500", "give it a token"}},
		"no token":               {Talk{}, spoken{">close 4403"}, []string{"code 4403", "give it a token"}},
		"no pong":                {Talk{}, spoken{">close 3012"}, []string{"code 3012", "--reply"}},
		"no first message":       {Talk{}, spoken{">close 4408"}, []string{"code 4408", "--first-message"}},
	} {
		for _, e := range engines() {
			t.Run(name+"/"+e.name, func(t *testing.T) {
				t.Parallel()
				s := speak(t, c.steps)
				r := flooded(t, e, Config{URL: s.url("/{id}"), Protocol: WebSocket, Talk: c.talk, ConnectTimeout: time.Second}, func(counts Counts) bool {
					return counts.Failed+counts.Closed == 1
				})
				for _, want := range c.says {
					if !strings.Contains(r.Explanation, want) {
						t.Errorf("the explanation is %q, want that it says %q", r.Explanation, want)
					}
				}
			})
		}
	}
}

func TestPatternCount(t *testing.T) {
	for _, c := range []struct {
		pattern, message string
		count            int
	}{
		{"2", "2", 1},
		{"2", "22", 0},
		{"2", "", 0},
		{"*", "", 1},
		{"*", "a\nb\n", 2},
		{"a*c", "ac", 1},
		{"a*a", "a", 0},
		{"*a*b*", "xbxaxb", 1},
		{"*a*b*", "xbxa", 0},
		{"{}", "{}\n{}\x1e{}", 3},
		{`a\nb`, "a\nb", 1},
		{`\*`, "*", 1},
		{`\*`, "a", 0},
		{`\u00e9*`, "é!", 1},
		{`\{id\}`, "{id}", 1},
		{"é*é", "é", 0},
	} {
		p, err := parsePattern(c.pattern)
		if err != nil || p.count([]byte(c.message)) != c.count || p.matchesAny([]byte(c.message)) != (c.count > 0) {
			t.Errorf("%q in %q: %v, %d, want %d", c.pattern, c.message, err, p.count([]byte(c.message)), c.count)
		}
	}
}

// FuzzPattern: what is read again matches the text that it was made of, with
// anything where a star stands.
func FuzzPattern(f *testing.F) {
	f.Add(`{"id":1,*`, "x")
	f.Add(`\x1e\\*\*`, "\n")
	f.Fuzz(func(t *testing.T, text, between string) {
		p, err := parsePattern(text)
		if err != nil {
			return
		}
		if !p.matches([]byte(strings.Join(p, between))) {
			t.Errorf("%q is read as %q, which does not match itself with %q between", text, p, between)
		}
	})
}

func TestSaysID(t *testing.T) {
	for _, c := range []struct {
		cfg  Config
		says bool
	}{
		{Config{URL: "http://h/{id}"}, true},
		{Config{URL: "http://h/1"}, false},
		{Config{URL: "http://h/1", Body: "{id}"}, true},
		{Config{URL: "http://h/1", Header: []string{"A: b", "X: {id}"}}, true},
		{Config{URL: "ws://h/1", Talk: Talk{FirstMessages: []string{"a", "b=>{id}"}}}, true},
		{Config{URL: "ws://h/1", Talk: Talk{Ready: "{id}", Replies: []string{"{id}=>{id}"}}}, false},
	} {
		if got := c.cfg.SaysID(); got != c.says {
			t.Errorf("%+v: %v, want %v", c.cfg, got, c.says)
		}
	}
}
