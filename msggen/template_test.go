package msggen

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

// requestOf makes the request for a message and has net/http read it.
func requestOf(t *testing.T, c PublishConfig, id int64, message string) (*http.Request, string) {
	t.Helper()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	template, err := newRequestTemplate(c)
	if err != nil {
		t.Fatal(err)
	}
	// Behind something else, as into a used buffer.
	text := template.append([]byte("before"), id, []byte(message))[len("before"):]
	reader := bufio.NewReader(bytes.NewReader(text))
	request, err := http.ReadRequest(reader)
	if err != nil {
		t.Fatalf("%q is not a request: %v", text, err)
	}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		t.Fatalf("the body of %q: %v", text, err)
	}
	if rest, _ := io.ReadAll(reader); len(rest) > 0 {
		t.Fatalf("%q has %q behind its body", text, rest)
	}
	return request, string(body)
}

func TestRequests(t *testing.T) {
	const message = "Fake message Num = 1 s=0badcafe.1 t=17"
	tests := []struct {
		name                    string
		config                  PublishConfig
		method, host, uri, body string
		headers                 map[string]string // "" is none
	}{
		{
			"the defaults",
			PublishConfig{URL: "http://example.org/pub/{id}"},
			"POST", "example.org", "/pub/42", message,
			map[string]string{"Content-Type": "text/plain; charset=utf-8", "User-Agent": "comet", "Authorization": ""},
		},
		{
			"nchan, with an id in the query and a fragment",
			PublishConfig{URL: "http://127.0.0.1:8080/pub?channel=user-{id}&x=a%20b#here"},
			"POST", "127.0.0.1:8080", "/pub?channel=user-42&x=a%20b", message, nil,
		},
		{
			"JSON by PUT",
			PublishConfig{
				URL: "https://[::1]:8443/api", Method: "PUT", Body: `{"id":{id},"data":"{message}","again":"{id}"}`,
				Header: []string{"content-type:application/json", "Host: other", "X-Id: a{id}b", "X-Id: second"},
			},
			"PUT", "other", "/api", `{"id":42,"data":"` + message + `","again":"42"}`,
			map[string]string{"Content-Type": "application/json", "X-Id": "a42b"},
		},
		{
			"a form",
			PublishConfig{
				URL: "http://example.org/hub", Body: "topic=https%3A%2F%2Fexample.org%2F{id}&data={message}",
				Header: []string{"Content-Type: Application/X-WWW-Form-Urlencoded; charset=utf-8"},
			},
			"POST", "example.org", "/hub",
			"topic=https%3A%2F%2Fexample.org%2F42&data=Fake%20message%20Num%20%3D%201%20s%3D0badcafe.1%20t%3D17", nil,
		},
		{
			"all in a GET",
			PublishConfig{URL: "http://u:p@example.org/{id}/{message}?m={message}", Method: "GET"},
			"GET", "example.org",
			"/42/Fake%20message%20Num%20%3D%201%20s%3D0badcafe.1%20t%3D17?m=Fake%20message%20Num%20%3D%201%20s%3D0badcafe.1%20t%3D17", "",
			map[string]string{"Authorization": "Basic dTpw", "Content-Type": "", "Content-Length": ""},
		},
		{
			"an empty path and a long body",
			PublishConfig{URL: "http://example.org", Body: "{id} {message}" + strings.Repeat("x", 100_000)},
			"POST", "example.org", "/", "42 " + message + strings.Repeat("x", 100_000), nil,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			request, body := requestOf(t, test.config, 42, message)
			if request.Method != test.method || request.Host != test.host || request.RequestURI != test.uri || body != test.body {
				t.Errorf("it is %s %s of %s with %.200q\nwant %s %s of %s with %.200q",
					request.Method, request.RequestURI, request.Host, body, test.method, test.uri, test.host, test.body)
			}
			for name, want := range test.headers {
				if got := request.Header.Get(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
			if request.Close {
				t.Error("it closes the connection")
			}
		})
	}
}

func TestPublishConfigRefuses(t *testing.T) {
	for _, test := range []struct {
		config PublishConfig
		says   string
	}{
		{PublishConfig{}, "not a URL to publish to"},
		{PublishConfig{URL: "ftp://example.org/{id}"}, "not a URL to publish to"},
		{PublishConfig{URL: "/pub/{id}"}, "not a URL to publish to"},
		{PublishConfig{URL: "http://example.org/pub"}, "write {id}"},
		{PublishConfig{URL: "http://example.org/{ID}"}, "neither {id} nor {message}"},
		{PublishConfig{URL: "http://{id}.example.org/"}, "in the host"},
		{PublishConfig{URL: "http://example.org/{id}", Body: "hello"}, "write {message}"},
		{PublishConfig{URL: "http://example.org/{id}", Method: "GET"}, "write {message}"},
		{PublishConfig{URL: "http://example.org/{id}", Method: "PO ST"}, "capital letters"},
		{PublishConfig{URL: "http://example.org/{id}", Header: []string{"no colon"}}, "`Name: value`"},
		{PublishConfig{URL: "http://example.org/{id}", Header: []string{"X: a\r\nY: b"}}, "`Name: value`"},
		{PublishConfig{URL: "http://example.org/{id}", Header: []string{"content-length: 5"}}, "Content-Length itself"},
		{PublishConfig{URL: "http://example.org/{id}", Connections: -1}, "connections to publish over"},
		{PublishConfig{URL: "http://example.org/{id}", AnswerTimeout: -1}, "AnswerTimeout"},
	} {
		err := test.config.Validate()
		if err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%+v: %v\nwant that it says %q", test.config, err, test.says)
		}
		if _, err := NewPublishSender(test.config); err == nil {
			t.Errorf("%+v made a sender", test.config)
		}
	}
	secret := PublishConfig{URL: "http://user:secret@example.org/{id}"}
	template, err := newRequestTemplate(secret)
	if err != nil || strings.Contains(template.shown, "secret") {
		t.Errorf("the URL is shown as %q (%v), with its password", template.shown, err)
	}
}

// FuzzRequest: whatever is taken as a template makes requests that net/http
// reads as one, with the body that was asked for.
func FuzzRequest(f *testing.F) {
	f.Add("http://example.org/pub/{id}", "POST", "X-A: {id}", "{message}", "hello")
	f.Add("http://example.org/?a={id}&b={message}", "GET", "Host: a", "", "a b\n")
	f.Fuzz(func(t *testing.T, url, method, header, body, message string) {
		c := PublishConfig{URL: url, Method: method, Header: []string{header}, Body: body}
		if c.Validate() != nil || method == "CONNECT" || strings.HasPrefix(strings.ToLower(header), "host:") {
			t.Skip("refused, or read by rules of its own")
		}
		_, got := requestOf(t, c, 7, message)
		want := strings.NewReplacer("{id}", "7", "{message}", message).Replace(body)
		if body == "" && method != "GET" && method != "HEAD" {
			want = message
		}
		if got != want {
			t.Errorf("the body is %q, want %q", got, want)
		}
	})
}
