package subscriptions

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

func readEdges(text string) (edges [][2]int64, err error) {
	in := NewEdges(strings.NewReader(text), "edges.tsv")
	for in.Scan() {
		follower, publisher := in.Edge()
		edges = append(edges, [2]int64{follower, publisher})
	}
	return edges, in.Err()
}

func TestEdges(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want [][2]int64
		err  string
	}{
		"nothing":               {"", nil, ""},
		"tabs":                  {"1\t2\n3\t4\n", [][2]int64{{1, 2}, {3, 4}}, ""},
		"no end":                {"1\t2", [][2]int64{{1, 2}}, ""},
		"spaces":                {"  1   2  \n3 \t 4\n", [][2]int64{{1, 2}, {3, 4}}, ""},
		"CRLF":                  {"# a\r\n1\t2\r\n\r\n", [][2]int64{{1, 2}}, ""},
		"comments, empty lines": {"# Nodes: 3\n\n1\t2\n   \n # more\n#", [][2]int64{{1, 2}}, ""},
		"a byte order mark":     {"\ufeff1\t2\n", [][2]int64{{1, 2}}, ""},
		"the largest id":        {fmt.Sprintf("0\t%d", int64(math.MaxInt64)), [][2]int64{{0, math.MaxInt64}}, ""},
		"zeros in front":        {"007\t08", [][2]int64{{7, 8}}, ""},
		"a word":                {"1\t2\n\nbob\t2\n3\t4\n", [][2]int64{{1, 2}}, `edges.tsv, line 3: "bob\t2" is not`},
		"one id":                {"1\n", nil, `line 1: "1" is not "FOLLOWER<TAB>PUBLISHER"`},
		"three":                 {"1 2 3\n", nil, `line 1: "1 2 3" is not`},
		"a comma":               {"1,2\n", nil, "line 1: "},
		"a sign":                {"-1\t2\n", nil, "line 1: "},
		"too large":             {"1\t9223372036854775808\n", nil, "line 1: "},
		"far too large":         {"99999999999999999999999999\t1\n", nil, "line 1: "},
		"a long line":           {"1\t2\n#" + strings.Repeat("x", longestLine) + "\n", [][2]int64{{1, 2}}, "line 2: it is longer than 65536 bytes"},
		"a long last line":      {"1\t2\n#" + strings.Repeat("x", longestLine), [][2]int64{{1, 2}}, "line 2: it is longer"},
		"gzip":                  {"\x1f\x8b\b\x00\n", nil, "line 1: it is compressed"},
		"UTF-16":                {"\xff\xfe1\x00", nil, "line 1: "},
	} {
		got, err := readEdges(c.text)
		if !slices.Equal(got, c.want) || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %d, %v; want %d, %q", name, got, err, c.want, c.err)
		}
	}
}

// FuzzEdges: no text makes the reader fail other than by an error, and what it
// read is read again when it is written as Export does.
func FuzzEdges(f *testing.F) {
	f.Add("1\t2\n")
	f.Add("# c\r\n 1  2 \r\n\n9223372036854775807 0")
	f.Add("1 2 3")
	f.Add("\ufeff1\t2")
	f.Fuzz(func(t *testing.T, text string) {
		edges, err := readEdges(text)
		if err != nil && !strings.Contains(err.Error(), "line ") {
			t.Fatalf("%v names no line", err)
		}
		var b strings.Builder
		for _, e := range edges {
			fmt.Fprintf(&b, "%d\t%d\n", e[0], e[1])
		}
		if again, err := readEdges(b.String()); err != nil || !slices.Equal(again, edges) {
			t.Fatalf("%d became %d, %v", edges, again, err)
		}
	})
}
