package users

import (
	"encoding/csv"
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

// FuzzRead: a file is read as package csv reads it, or refused by its name and, where a
// line is wrong, the number of that; what was read can be written and read again.
func FuzzRead(f *testing.F) {
	for _, text := range []string{
		"id,token\n1,a\n2,b\n", "\ufeffid\r\n\"a\"\"b\"\r\n", "a, id ,b\n#x\n1,2,3\n1,2,3\n", "id\n\n7\n", "x\n\"two\nlines\"\n\"\"\n",
		"id,id\n1,2\n", "id\n \n", "id,t\n,x\n", "a\n\"", "a,b\n1\n", "a{b\n1\n", "", "#\n", "\"\xff\"\nx\n", "a\r\nb\rc\r\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		table, err := Read(strings.NewReader(text), "u.csv")
		in := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\ufeff")))
		in.Comment = '#'
		rows, csvErr := in.ReadAll()
		if err != nil {
			if table != nil || !strings.HasPrefix(err.Error(), "users: u.csv") || strings.ContainsAny(err.Error(), "\x00\n\r\x1b") {
				t.Errorf("%q: %+v, %q", text, table, err)
			}
			// A row that is wrong is named by its line, a column by its number or name.
			if len(rows) > 1 && csvErr == nil && !strings.Contains(err.Error(), ", line ") && !strings.Contains(err.Error(), "column") {
				t.Errorf("%q: %q names no line", text, err)
			}
			return
		}
		if csvErr != nil || len(rows) != table.Len()+1 {
			t.Fatalf("%q has %d users, package csv reads %q, %v", text, table.Len(), rows, csvErr)
		}
		for i, row := range rows[1:] {
			for j, cell := range row {
				if table.Cell(i, j) != cell {
					t.Errorf("%q: user %d has %q, want %q", text, i, table.Cell(i, j), cell)
				}
			}
		}
		checkTable(t, table)
		var b strings.Builder
		out := csv.NewWriter(&b)
		if table.Len() > 1000 || len(table.Columns()) < 2 || out.WriteAll(append([][]string{table.Columns()}, table.rows...)) != nil {
			return // of one column, an empty cell is no line
		}
		again, err := Read(strings.NewReader(b.String()), "again.csv")
		if strings.Contains(b.String(), "\r") || strings.HasPrefix(b.String(), "#") || strings.Contains(b.String(), "\n#") {
			return // a line break is read as \n, and # begins a comment
		}
		if err != nil || !slices.Equal(again.Columns(), table.Columns()) || !slices.EqualFunc(again.rows, table.rows, slices.Equal[[]string]) {
			t.Errorf("%q is written as %q, and read as %+v, %v", text, b.String(), again, err)
		}
	})
}

// checkTable checks what must hold of each table.
func checkTable(t *testing.T, table *Table) {
	t.Helper()
	names, columns := table.Holes()
	for i, name := range names {
		if columns[i] >= 0 && (table.Columns()[columns[i]] != name || table.Column(name) != columns[i]) || columns[i] < 0 && name != "id" {
			t.Errorf("%q: the hole %q is of column %d", table.Columns(), name, columns[i])
		}
	}
	id := table.Column("id")
	if table.HasID() != (id >= 0) {
		t.Errorf("%q: %t", table.Columns(), table.HasID())
	}
	for row := range min(table.Len(), 100) {
		first := table.First(row)
		if first > row || id >= 0 && (table.Cell(first, id) != table.Cell(row, id) || table.Cell(row, id) == "") || table.First(first) != first {
			t.Errorf("the first row of user %d is %d", row, first)
		}
		if n := int64(row) + 1; table.Row(n) != row || table.Row(n+int64(table.Len())) != row || table.Row(n-int64(table.Len())) != row {
			t.Errorf("number %d is in row %d", n, table.Row(n))
		}
	}
}
