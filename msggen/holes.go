package msggen

import (
	"fmt"
	"strconv"
	"strings"

	"example.org/comet/flood/users"
)

// messageHole is the name of the hole for the text of a message.
const messageHole = "message"

// holes are the names in braces that a request may have, and what fills them.
type holes struct {
	users *users.Table // nil without
	// names are id, the other columns of users, and message; columns has the column
	// of each, -1 for what is none.
	names   []string
	columns []int
}

func holesOf(table *users.Table) holes {
	names, columns := table.Holes()
	return holes{users: table, names: append(names, messageHole), columns: append(columns, -1)}
}

// message returns the hole for the text of a message.
func (h *holes) message() int { return len(h.names) - 1 }

// fill appends t with its holes filled.
func (h *holes) fill(dst []byte, t users.Template, id int64, message []byte) []byte {
	var digits [20]byte
	return t.Append(dst, func(hole int) []byte {
		switch column := h.columns[hole]; {
		case hole == h.message():
			return message
		case column < 0:
			return strconv.AppendInt(digits[:0], id, 10)
		default:
			return []byte(h.users.Cell(h.users.Row(id), column))
		}
	})
}

// addresses reports whether a hole says whom a message is for.
func (h *holes) addresses(hole int) bool { return hole != h.message() }

// idText returns what {id} stands for.
func (h *holes) idText(id int64) string {
	if column := h.columns[0]; column >= 0 {
		return h.users.Cell(h.users.Row(id), column)
	}
	return strconv.FormatInt(id, 10)
}

// quoted puts quotes around each {message} outside the quotes of JSON, where its
// text would be no JSON.
func quoted(body string) string {
	const hole = "{" + messageHole + "}"
	var b strings.Builder
	for within := false; body != ""; {
		n := 1
		switch {
		case strings.HasPrefix(body, hole) && !within:
			b.WriteString(`"` + hole + `"`)
			body = body[len(hole):]
			continue
		case body[0] == '"':
			within = !within
		case body[0] == '\\' && within:
			n = min(2, len(body))
		}
		b.WriteString(body[:n])
		body = body[n:]
	}
	return b.String()
}

// words returns what takes the holes of a URL for words, which url.Parse leaves
// alone, where it refuses braces in some places and escapes them in others; and
// what takes them back.
func (h *holes) words() (to, from *strings.Replacer) {
	var there, back []string
	for i, name := range h.names {
		hole, word := "{"+name+"}", fmt.Sprintf("%s%d.", holeWord, i)
		there, back = append(there, hole, word), append(back, word, hole)
	}
	return strings.NewReplacer(there...), strings.NewReplacer(back...)
}

const holeWord = "comet-placeholder-"
