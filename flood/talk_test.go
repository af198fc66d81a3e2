package flood

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// spoken is one exchange with a client of a WebSocket, in order: what begins with
// > is sent, what begins with < has to come. Fragments are parted by |.
type spoken []string

// socketServer upgrades each connection and goes through what is spoken. What the
// first connection to go wrong got instead is in wrong; done counts those that came
// to the end, and stays with them.
type socketServer struct {
	*server
	done  atomic.Int32
	mu    sync.Mutex
	wrong string
}

func speak(t *testing.T, steps spoken) *socketServer {
	t.Helper()
	s := &socketServer{}
	s.server = listen(t, "127.0.0.1:0", func(c *net.TCPConn) {
		in := bufio.NewReader(c)
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		say(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "+base64.StdEncoding.EncodeToString(sum[:])+"\r\n\r\n")
		for _, step := range steps {
			if step[0] == '>' {
				say(c, frames(step[1:]))
				continue
			}
			want := strings.ReplaceAll(step[1:], "ID", strings.TrimPrefix(r.URL.Path, "/"))
			if got, err := clientText(in); err != nil || got != want {
				s.mu.Lock()
				s.wrong = fmt.Sprintf("%q came (%v), want %q", got, err, want)
				s.mu.Unlock()
				return
			}
		}
		s.done.Add(1)
		hold(c)
	})
	return s
}

// frames returns a text message, in as many frames as it has fragments; a step of
// "close 1000" is a close frame.
func frames(text string) string {
	var code uint16
	if n, _ := fmt.Sscanf(text, "close %d", &code); n == 1 {
		return string(binary.BigEndian.AppendUint16([]byte{0x88, 2}, code))
	}
	var b strings.Builder
	pieces := strings.Split(text, "|")
	for i, piece := range pieces {
		first := byte(0)
		if i == 0 {
			first = 1
		}
		if i == len(pieces)-1 {
			first |= 0x80
		}
		b.Write([]byte{first, byte(len(piece))})
		b.WriteString(piece)
	}
	return b.String()
}

// clientText reads a text message of a client: a frame of less than 64 KiB.
func clientText(in *bufio.Reader) (string, error) {
	var head [2]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return "", err
	}
	if head[0] != 0x81 || head[1]&0x80 == 0 {
		return "", fmt.Errorf("a frame begins with %x", head)
	}
	n := int(head[1] & 0x7f)
	if n == 126 {
		var long [2]byte
		if _, err := io.ReadFull(in, long[:]); err != nil {
			return "", err
		}
		n = int(binary.BigEndian.Uint16(long[:]))
	}
	masked := make([]byte, 4+n)
	if _, err := io.ReadFull(in, masked); err != nil {
		return "", err
	}
	for i := range n {
		masked[4+i] ^= masked[i%4]
	}
	return string(masked[4:]), nil
}

func TestTalk(t *testing.T) {
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
				url := "ws" + strings.TrimPrefix(s.url("/{id}"), "http")
				r := flooded(t, e, Config{URL: url, Connections: conns, Talk: c.talk, Duration: patience / 2}, func(counts Counts) bool {
					return counts.Connected == conns && s.done.Load() == conns || counts.Failed+counts.Closed > 0
				})
				if s.wrong != "" || r.Failed+r.Closed != 0 || s.done.Load() != conns {
					t.Errorf("%d of %d came to the end, %d failed, %d were closed: %s", s.done.Load(), conns, r.Failed, r.Closed, s.wrong)
				}
			})
		}
	}
}

// TestTalkExplained: what a server says instead of what is waited for is in the
// explanation.
func TestTalkExplained(t *testing.T) {
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
		"no first message":       {Talk{}, spoken{">close 4408"}, []string{"code 4408", "--first-message"}},
		"closed at once":         {Talk{}, spoken{">close 1000"}, []string{"WebSockets were closed by the server as soon as they were there"}},
	} {
		for _, e := range engines() {
			t.Run(name+"/"+e.name, func(t *testing.T) {
				t.Parallel()
				s := speak(t, c.steps)
				r := flooded(t, e, Config{URL: "ws" + strings.TrimPrefix(s.url("/{id}"), "http"), Talk: c.talk, ConnectTimeout: time.Second}, func(counts Counts) bool {
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

func TestPattern(t *testing.T) {
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
	for _, text := range []string{"", `a\`, `\q`, `\x1`} {
		if p, err := parsePattern(text); err == nil {
			t.Errorf("%q is read as %q", text, p)
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
