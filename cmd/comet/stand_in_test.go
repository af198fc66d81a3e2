package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// standIn answers as the servers of the pages do that are not here: it
// speaks their protocols on the addresses before --. What stands behind it is for
// --match to find.
func standIn() {
	s := &standInServer{rooms: make(map[string]map[chan string]bool)}
	failed := make(chan error)
	for _, addr := range os.Args[1:] {
		if addr == "--" {
			break
		}
		go func() { failed <- http.ListenAndServe(addr, s) }()
	}
	fmt.Fprintln(os.Stderr, <-failed)
	os.Exit(1)
}

// standInServer hands what is published to an id to all who are subscribed to it.
type standInServer struct {
	mu    sync.Mutex
	rooms map[string]map[chan string]bool
}

func (s *standInServer) join(id string) (c chan string, leave func()) {
	c = make(chan string, 1000)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rooms[id] == nil {
		s.rooms[id] = make(map[chan string]bool)
	}
	s.rooms[id][c] = true
	return c, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.rooms[id], c)
	}
}

func (s *standInServer) publish(id, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.rooms[id] {
		c <- text
	}
}

// streamPaths are where streams are; anything else is answered 404.
var streamPaths = regexp.MustCompile(`^/(sub|stream|poll)/[^/]+$|^/\.well-known/mercure$`)

func (s *standInServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := path.Base(r.URL.Path)
	if topic := r.URL.Query().Get("topic"); topic != "" {
		id = topic
	}
	switch {
	case r.Header.Get("Upgrade") != "":
		s.webSocket(w, r)
	case r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, "/v1/chat"):
		answerChat(w)
	case r.Method == http.MethodPost:
		s.takeMessage(w, r, id)
	case streamPaths.MatchString(r.URL.Path):
		s.stream(w, r, id)
	default:
		http.NotFound(w, r)
	}
}

// takeMessage takes what is published in the forms of Centrifugo, of Mercure, and as it is.
func (s *standInServer) takeMessage(w http.ResponseWriter, r *http.Request, id string) {
	body, err := io.ReadAll(r.Body)
	switch {
	case err != nil:
	case r.URL.Path == "/api/publish":
		var to struct{ Channel, Data string }
		if err = json.Unmarshal(body, &to); err == nil {
			s.publish(to.Channel, to.Data)
			fmt.Fprint(w, `{"result":{}}`)
		}
	case r.URL.Path == "/.well-known/mercure":
		var form url.Values
		if form, err = url.ParseQuery(string(body)); err == nil {
			s.publish(form.Get("topic"), form.Get("data"))
		}
	case strings.HasPrefix(r.URL.Path, "/pub/"):
		s.publish(id, string(body))
	default:
		http.NotFound(w, r)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

func (s *standInServer) stream(w http.ResponseWriter, r *http.Request, id string) {
	c, leave := s.join(id)
	defer leave()
	form := "%s"
	if r.Header.Get("Accept") == "text/event-stream" {
		w.Header().Set("Content-Type", "text/event-stream")
		form = "data: %s\n\n"
	}
	poll := strings.HasPrefix(r.URL.Path, "/poll/")
	for {
		if !poll {
			_ = http.NewResponseController(w).Flush()
		}
		select {
		case text := <-c:
			fmt.Fprintf(w, form, text)
			if poll {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}

func answerChat(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/event-stream")
	for _, token := range []string{"One", ", two"} {
		fmt.Fprintf(w, "data: {\"choices\":[{\"delta\":{\"content\":%q}}]}\n\n", token)
		_ = http.NewResponseController(w).Flush()
		time.Sleep(10 * time.Millisecond)
	}
	fmt.Fprint(w, "data: [DONE]\n\n")
}

// dialects are what servers say on WebSockets: first, to what clients say, and around a
// message. ID is the client's, from its URL or what it says, MESSAGE what was published.
var dialects = []struct {
	path, first string
	answers     []standInAnswer
	push        string
}{
	{"/connection/websocket", "", []standInAnswer{
		{`"connect":`, `{"id":1,"connect":{"client":"x","ping":25,"pong":true}}`},
		{`"subscribe":\{"channel":"(.+?)"`, `{"id":2,"subscribe":{}}`},
	}, `{"push":{"channel":"ID","pub":{"data":"MESSAGE"}}}`},
	{"/socket.io/", `0{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`, []standInAnswer{
		{`^40`, `40{"sid":"y"}`},
	}, `42["message","MESSAGE"]`},
	{"/graphql", "", []standInAnswer{
		{`"connection_init"`, `{"type":"connection_ack"}`},
		{`"variables":\{"room":"(.+?)"`, ""},
	}, `{"id":"1","type":"next","payload":{"data":{"messages":"MESSAGE"}}}`},
	{"/socket/websocket", "", []standInAnswer{
		{`^\["1","1","room:(.+?)","phx_join"`, `["1","1","room:ID","phx_reply",{"response":{},"status":"ok"}]`},
	}, `["1",null,"room:ID","new_msg",{"body":"MESSAGE"}]`},
	{"/hub", "", []standInAnswer{{`^\{"protocol":"json"`, "{}\x1e"}}, "{\"type\":1,\"target\":\"send\",\"arguments\":[\"MESSAGE\"]}\x1e"},
	{"/app/", `{"event":"pusher:connection_established","data":"{\"socket_id\":\"1.1\",\"activity_timeout\":120}"}`, []standInAnswer{
		{`"pusher:subscribe","data":\{"channel":"(.+?)"`, `{"event":"pusher_internal:subscription_succeeded","channel":"ID","data":"{}"}`},
	}, `{"event":"message","channel":"ID","data":"MESSAGE"}`},
	{"/chat", "", []standInAnswer{
		{`^hello `, "welcome"},
		{`^join (.+)`, "joined"},
		{`"type":"login"`, `{"type":"welcome"}`},
		{`"type":"subscribe","room":"r(.+?)"`, `{"type":"subscribed"}`},
	}, "MESSAGE"},
	{"/ws", "", []standInAnswer{{`"type":"login","user":"(.+?)"`, ""}}, "MESSAGE"},
	{"/private/", "", nil, "MESSAGE"},
}

// standInAnswer answers what a client says that matches. A group in it is its id.
type standInAnswer struct{ to, answer string }

// webSocket talks the dialect of a path.
func (s *standInServer) webSocket(w http.ResponseWriter, r *http.Request) {
	for _, d := range dialects {
		if !strings.HasPrefix(r.URL.Path, d.path) {
			continue
		}
		upgrader := ws.HTTPUpgrader{Protocol: func(string) bool { return true }}
		conn, _, _, err := upgrader.Upgrade(r, w)
		if err != nil {
			return
		}
		defer conn.Close()
		var mu sync.Mutex
		say := func(text string) {
			mu.Lock()
			defer mu.Unlock()
			if text != "" {
				_ = wsutil.WriteServerText(conn, []byte(text))
			}
		}
		listen := func(id string) {
			c, leave := s.join(id)
			defer leave()
			for {
				select {
				case text := <-c:
					say(strings.NewReplacer("ID", id, "MESSAGE", text).Replace(d.push))
				case <-r.Context().Done():
					return
				}
			}
		}
		say(d.first)
		if id := r.URL.Query().Get("id"); id != "" {
			go listen(id)
		}
		for {
			text, err := wsutil.ReadClientText(conn)
			if err != nil {
				return
			}
			for _, a := range d.answers {
				if m := regexp.MustCompile(a.to).FindStringSubmatch(string(text)); len(m) > 1 {
					go listen(m[1])
					say(strings.ReplaceAll(a.answer, "ID", m[1]))
				} else if m != nil {
					say(a.answer)
				}
			}
		}
	}
	http.NotFound(w, r)
}
