package msggen

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"example.org/comet/flood/users"
	"example.org/comet/server/wire"
)

func table(t *testing.T, text string) *users.Table {
	t.Helper()
	read, err := users.Read(strings.NewReader(text), "u.csv")
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// TestRequestsOfUsers: each column is escaped for the place it stands in.
func TestRequestsOfUsers(t *testing.T) {
	const message = "Fake message Num = 1 s=0badcafe.1 t=17"
	list := table(t, "token,id,room\n\"s\"\"1&\",alice w/ü,a/b\nt 2,bob,c\n")
	for name, test := range map[string]struct {
		config    PublishConfig
		uri, body string
		headers   map[string]string
	}{
		"the URL": {
			PublishConfig{URL: "http://h/{room}/{id}?t={token}"},
			"/a%2Fb/alice%20w%2F%C3%BC?t=s%221%26", message, nil,
		},
		"headers": {
			PublishConfig{URL: "http://h/", Header: []string{"Authorization: Bearer {token}", "X: {id} {message}"}},
			"/", message,
			map[string]string{"Authorization": `Bearer s"1&`, "X": "alice w/ü Fake%20message%20Num%20%3D%201%20s%3D0badcafe.1%20t%3D17"},
		},
		"JSON": {
			PublishConfig{URL: "http://h/", Body: `{"to":"{id}","token":"{token}","data":{message},"again":"{message}","a\"b{message}":[{message}]}`},
			"/", `{"to":"alice w/ü","token":"s\"1&","data":"` + message + `","again":"` + message + `","a\"b` + message + `":["` + message + `"]}`, nil,
		},
		"JSON by its type": {
			PublishConfig{URL: "http://h/{id}", Header: []string{"content-type: application/json"}, Body: "{message}"},
			"/alice%20w%2F%C3%BC", `"` + message + `"`, nil,
		},
		"text that begins with a hole": {
			PublishConfig{URL: "http://h/", Body: `{id} says "{message}" {other}`},
			"/", `alice w/ü says "` + message + `" {other}`, nil,
		},
		"a form": {
			PublishConfig{URL: "http://h/", Header: []string{"Content-Type: application/x-www-form-urlencoded"}, Body: "to={id}&t={token}&m={message}"},
			"/", "to=alice%20w%2F%C3%BC&t=s%221%26&m=Fake%20message%20Num%20%3D%201%20s%3D0badcafe.1%20t%3D17", nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			test.config.Users = list
			request, body := requestOf(t, test.config, 1, message)
			if request.RequestURI != test.uri || body != test.body {
				t.Errorf("%s with %s\nwant %s with %s", request.RequestURI, body, test.uri, test.body)
			}
			if test.body[0] == '{' && !json.Valid([]byte(body)) {
				t.Errorf("%s is no JSON", body)
			}
			for key, want := range test.headers {
				if got := request.Header.Get(key); got != want {
					t.Errorf("%s: %q, want %q", key, got, want)
				}
			}
		})
	}
	// Without a column id, numbers take the rows in turn.
	numbered := PublishConfig{URL: "http://h/{id}/{token}", Users: table(t, "token\na\nb\n")}
	for id, want := range map[int64]string{0: "/0/b", 1: "/1/a", 2: "/2/b", 3: "/3/a", 1<<63 - 1: "/9223372036854775807/a"} {
		if request, _ := requestOf(t, numbered, id, message); request.RequestURI != want {
			t.Errorf("id %d: %s, want %s", id, request.RequestURI, want)
		}
	}
}

func TestUsersRefused(t *testing.T) {
	for _, test := range []struct {
		config PublishConfig
		says   string
	}{
		{PublishConfig{URL: "http://h/{nobody}", Users: table(t, "id\na\n")}, "braces that name no column of u.csv"},
		{PublishConfig{URL: "http://h/", Users: table(t, "id\na\n")}, "the id of a message is sent nowhere"},
		{PublishConfig{URL: "http://{id}/", Users: table(t, "id\na\n")}, "in the host"},
		{PublishConfig{URL: "http://h/{id}", Users: table(t, "id,message\na,b\n")}, "rename the column"},
		{PublishConfig{URL: "http://h/{id}", Header: []string{"X: {token}"}, Users: table(t, "id,token\na,\"b\nc\"\n")}, "token of user 1 has a control character"},
		{PublishConfig{URL: "http://h/{id}", Header: []string{"X: {token}"}, Users: table(t, "token,x,id\na,b,c\n\"d\re\",b,c\n")}, "token of user 2 has a control character"},
	} {
		if err := test.config.Validate(); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%+v: %v, want that it says %q", test.config, err, test.says)
		}
	}
	text := table(t, "id\n7\nalice\n")
	for _, config := range []Config{{To: "http://127.0.0.1:1/send", Users: text}, {Sender: &discard{}, Users: text}} {
		if _, err := New(config); err == nil || !strings.Contains(err.Error(), `whole numbers only: users: the id of user 2 in u.csv is "alice"`) {
			t.Errorf("text ids for a comet server: %v", err)
		}
	}
	if _, err := New(Config{Sender: &discard{}, Users: table(t, "id\n7\n"), MaxID: 2}); err == nil || !strings.Contains(err.Error(), "it is a row of u.csv, which has 1") {
		t.Errorf("a row that is not there: %v", err)
	}
}

// ids is a sender that counts the messages of each id.
type ids struct {
	discard
	n map[int64]int
}

func (s *ids) Send(id int64, message []byte) error {
	s.n[id]++
	return s.discard.Send(id, message)
}

// TestUsersWithNumbers: a comet server gets the ids of the users.
func TestUsersWithNumbers(t *testing.T) {
	sender := &ids{n: map[int64]int{}}
	generator, err := New(Config{Sender: sender, Users: table(t, "id\n700\n0\n9223372036854775807\n"), Rate: 1e6, Count: 30, Distribution: Distribution{Shape: Sequential}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := generator.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := map[int64]int{700: 10, 0: 10, 1<<63 - 1: 10}; !maps.Equal(sender.n, want) {
		t.Errorf("messages to %v, want %v", sender.n, want)
	}
}

// TestUsersGetMessages: rows are drawn, each as the distribution says, and each id
// has one sequence, of however many rows.
func TestUsersGetMessages(t *testing.T) {
	list := table(t, "id,token\nalice,a\n7,b\nalice,c\nx89ab,d\n")
	var mu sync.Mutex
	got := map[string][]wire.Stamp{}
	tokens := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		stamp, _, ok := wire.FindStamp(append(body, 10))
		mu.Lock()
		defer mu.Unlock()
		if !ok || stamp.Sequence != wire.SequenceOf(r.URL.Path[1:]) {
			t.Errorf("%s: %q", r.URL.Path, body)
		}
		got[r.URL.Path] = append(got[r.URL.Path], stamp)
		tokens[r.Header.Get("X-Token")]++
	}))
	defer server.Close()
	for name, count := range map[Shape]int{Sequential: 40, Uniform: 200, Zipf: 200, Hot: 200} {
		clear(got)
		clear(tokens)
		sender := newPublish(t, PublishConfig{URL: server.URL + "/{id}", Header: []string{"X-Token: {token}"}, Users: list})
		generator, err := New(Config{Sender: sender, Users: list, Rate: 5000, Count: uint64(count), Seed: 1, Distribution: Distribution{Shape: name}})
		if err != nil {
			t.Fatal(err)
		}
		result, err := generator.Run(t.Context())
		if err != nil || result.Sent != uint64(count) {
			t.Errorf("%s: %v, %+v", name, err, result)
		}
		mu.Lock()
		if paths := slices.Sorted(maps.Keys(got)); !slices.Equal(paths, []string{"/7", "/alice", "/x89ab"}) || len(tokens) != 4 {
			t.Errorf("%s: messages to %v with %v", name, paths, tokens)
		}
		for path, stamps := range got {
			for i, stamp := range stamps {
				if stamp.N != uint64(i+1) {
					t.Fatalf("%s: message %d to %s has number %d", name, i+1, path, stamp.N)
				}
			}
		}
		if name == Sequential && (tokens["a"] != 10 || tokens["d"] != 10) {
			t.Errorf("one row after the other: %v", tokens)
		}
		mu.Unlock()
	}
}
