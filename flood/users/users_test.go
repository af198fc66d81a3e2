package users

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestRead(t *testing.T) {
	table, err := Read(strings.NewReader("\ufeffid, token ,note\r\n# nobody\r\nalice,s3cret,\"a, \"\"b\"\"\nc\"\r\nbob,,\r\n"), "users.csv")
	if err != nil {
		t.Fatal(err)
	}
	if got := table.Columns(); !slices.Equal(got, []string{"id", "token", "note"}) {
		t.Errorf("the columns are %q", got)
	}
	if table.Len() != 2 || table.Cell(0, 2) != "a, \"b\"\nc" || table.Cell(1, 0) != "bob" || table.Cell(1, 1) != "" {
		t.Errorf("the rows are %q", table.rows)
	}
	if table.Column("token") != 1 || table.Column("nobody") != -1 {
		t.Errorf("token is column %d, nobody %d", table.Column("token"), table.Column("nobody"))
	}
}

func TestReadRefuses(t *testing.T) {
	for _, test := range []struct{ text, says string }{
		{"", "u.csv is empty"},
		{"id,token\n", "no user"},
		{"id,token\na,b\nc\n", "line 3: 1 fields for the 2 columns id,token"},
		{"id,token\na,b,c\n", "line 2: 3 fields"},
		{"id,,x\n", "column 2 has no name"},
		{"id,id\n1,2\n", `two columns are named "id"`},
		{"id,a{b\n", "without braces"},
		{"id,token\n,secret\n", "line 2: the id is empty"},
		{"id,token\n\"a\"b,c\n", "line 2"},
	} {
		if _, err := Read(strings.NewReader(test.text), "u.csv"); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%q: %v, want that it says %q", test.text, err, test.says)
		}
	}
}

func fill(t Template, values ...string) string {
	return string(t.Append(nil, func(hole int) []byte { return []byte(values[hole]) }))
}

func TestTemplate(t *testing.T) {
	const odd = "a b/\"ü\"\\\n&=+%"
	for _, test := range []struct {
		name, text string
		place      Place
		want       string
	}{
		{"no hole", "hello", Raw, "hello"},
		{"empty", "", JSON, ""},
		{"other braces stay", "{x} {} {{id}} {id", Raw, "{x} {} {" + odd + "} {id"},
		{"twice", "{id}{id}", Raw, odd + odd},
		{"URL", "/s/{id}?q={token}", URL, "/s/a%20b%2F%22%C3%BC%22%5C%0A%26%3D%2B%25?q=T"},
		{"form", "a={id}&b={token}", Form, "a=a%20b%2F%22%C3%BC%22%5C%0A%26%3D%2B%25&b=T"},
		{"header", "Bearer {token}", Header, "Bearer T"},
		{"JSON string", `{"u":"{id}"}`, JSON, `{"u":"a b/\"ü\"\\\u000A&=+%"}`},
		{"JSON after an escaped quote", `{"a\"b":"{id}"}`, JSON, `{"a\"b":"a b/\"ü\"\\\u000A&=+%"}`},
		{"JSON outside quotes", `{"n":{token},"s":"x"}`, JSON, `{"n":T,"s":"x"}`},
		{"JSON with braces of its own", `{"id":{"id":"{token}"}}`, JSON, `{"id":{"id":"T"}}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := fill(Parse(test.text, test.place, []string{"id", "token"}), odd, "T"); got != test.want {
				t.Errorf("it is %q, want %q", got, test.want)
			}
		})
	}
	if got := Parse("{b}{a}{b}", Raw, []string{"a", "b", "c"}).Holes(); !slices.Equal(got, []int{0, 1}) {
		t.Errorf("the holes are %v", got)
	}
}

func TestBodyPlace(t *testing.T) {
	for _, test := range []struct {
		contentType, text string
		want              Place
	}{
		{"", "hello {id}", Raw},
		{"", ` {"id":"{id}"}`, JSON},
		{"", "[1]", JSON},
		{"", "{id} says hello", Raw},
		{"", "[{id}]", JSON},
		{"", `{"{id}":1}`, JSON},
		{"application/json", "{id}", JSON},
		{"text/plain; charset=utf-8", "[1]", JSON},
		{"Application/JSON; charset=utf-8", "", JSON},
		{"application/vnd.api+json", "", JSON},
		{"application/x-www-form-urlencoded", "a={id}", Form},
		{"application/xml", "[1]", Raw},
	} {
		if got := BodyPlace(test.contentType, test.text, []string{"id"}); got != test.want {
			t.Errorf("%q %q is %d, want %d", test.contentType, test.text, got, test.want)
		}
	}
}

func TestCheck(t *testing.T) {
	table, err := Read(strings.NewReader("id,token\na,b\nc,\"d\ne\"\n"), "u.csv")
	if err != nil {
		t.Fatal(err)
	}
	names, columns := table.Holes()
	if !slices.Equal(names, []string{"id", "token"}) || !slices.Equal(columns, []int{0, 1}) {
		t.Errorf("the holes are %q of columns %v", names, columns)
	}
	if err := table.Check(Parse("Bearer {token}", Header, names), columns); err == nil || !strings.Contains(err.Error(), "token of user 2") {
		t.Errorf("a line break in a header: %v", err)
	}
	for _, fine := range []Template{Parse("Bearer {id} {message}", Header, names), Parse("{token}", URL, names)} {
		if err := table.Check(fine, columns); err != nil {
			t.Error(err)
		}
	}
}

func TestHoles(t *testing.T) {
	for head, want := range map[string]string{"id,a,b": "[id a b] [0 1 2]", "a,id,b": "[id a b] [1 0 2]", "a,b": "[id a b] [-1 0 1]"} {
		table, err := Read(strings.NewReader(head+"\n"+head+"\n"), "u.csv")
		if err != nil {
			t.Fatal(err)
		}
		if names, columns := table.Holes(); fmt.Sprint(names, columns) != want {
			t.Errorf("%s: %v %v, want %s", head, names, columns, want)
		}
	}
}

// FuzzTemplate: what is filled in can be read back in every place.
func FuzzTemplate(f *testing.F) {
	f.Add("alice", "/s/{id}?a={id}")
	f.Add("a\"b\\\n", "{\"id\":\"{id}\"}")
	f.Fuzz(func(t *testing.T, value, text string) {
		fill(Parse(text, JSON, []string{"id"}), value)
		u, err := url.Parse("http://h/" + fill(Parse("{id}?q={id}", URL, []string{"id"}), value))
		if err != nil || u.Path != "/"+value || u.Query().Get("q") != value {
			t.Errorf("%q in a URL is read back as %q (%v)", value, u, err)
		}
		form, err := url.ParseQuery(fill(Parse("a={id}", Form, []string{"id"}), value))
		if err != nil || form.Get("a") != value {
			t.Errorf("%q in a form is read back as %q (%v)", value, form, err)
		}
		var got struct{ ID string }
		if err := json.Unmarshal([]byte(fill(Parse(`{"id":"{id}"}`, JSON, []string{"id"}), value)), &got); err != nil {
			t.Fatalf("%q in JSON: %v", value, err)
		}
		if utf8.ValidString(value) && got.ID != value {
			t.Errorf("%q in JSON is read back as %q", value, got.ID)
		}
	})
}

func TestIDs(t *testing.T) {
	table, err := Read(strings.NewReader("id,token,room\n7,a,x\nbob,b,x\n7,c,y\n"), "u.csv")
	if err != nil {
		t.Fatal(err)
	}
	if table.First(0) != 0 || table.First(1) != 1 || table.First(2) != 0 {
		t.Errorf("the first rows are %d %d %d", table.First(0), table.First(1), table.First(2))
	}
	if !table.Identifies(0) || !table.Identifies(1) || table.Identifies(2) {
		t.Error("ids and tokens say who a user is, rooms do not")
	}
	if _, err := table.Numbers(); err == nil || !strings.Contains(err.Error(), `user 2 in u.csv is "bob"`) {
		t.Errorf("numbers: %v", err)
	}
	for ids, fine := range map[string]bool{"1\n0\n9223372036854775807": true, "01": false, "9223372036854775808": false, "-1": false, "+1": false, "1.5": false, "x": false} {
		table, err := Read(strings.NewReader("id\n"+ids+"\n"), "u.csv")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := table.Numbers(); (err == nil) != fine {
			t.Errorf("%q: %v", ids, err)
		}
	}
}
