package users

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// A Table is a file of users in memory. It does not change, so any number of
// goroutines may read it. A user costs 24 bytes, and 16 more and its text for
// each column.
type Table struct {
	name    string
	columns []string
	rows    [][]string
	// first holds, for each row, the first one with the same id; nil if all ids
	// differ.
	first []int
}

// Read reads CSV (RFC 4180) whose first line names the columns; # begins a
// comment line, a byte order mark is skipped. name is what errors call the
// file. A column named id must have a text in each row.
func Read(r io.Reader, name string) (*Table, error) {
	in := bufio.NewReader(r)
	if mark, _ := in.Peek(3); bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		_, _ = in.Discard(3) // they are in the buffer
	}
	lines := csv.NewReader(in)
	lines.Comment = '#'
	head, err := lines.Read()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("users: %s is empty: its first line names the columns, such as id,token", name)
	}
	if err != nil {
		return nil, fmt.Errorf("users: %s: %w", name, err)
	}
	t := &Table{name: name, columns: head}
	if err := t.checkColumns(); err != nil {
		return nil, fmt.Errorf("users: %s: %w", name, err)
	}
	id := slices.Index(head, "id")
	for {
		row, err := lines.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if errors.Is(err, csv.ErrFieldCount) {
			line, _ := lines.FieldPos(0)
			return nil, fmt.Errorf("users: %s, line %d: %d fields for the %d columns %s", name, line, len(row), len(head), strings.Join(head, ","))
		}
		if err != nil {
			return nil, fmt.Errorf("users: %s: %w", name, err)
		}
		if id >= 0 && row[id] == "" {
			line, _ := lines.FieldPos(id)
			return nil, fmt.Errorf("users: %s, line %d: the id is empty", name, line)
		}
		t.rows = append(t.rows, row)
	}
	if len(t.rows) == 0 {
		return nil, fmt.Errorf("users: %s has columns and no user", name)
	}
	if id >= 0 {
		t.first = t.firsts(id)
	}
	return t, nil
}

// firsts returns, for each row, the first one with the same text in a column, or
// nil if all differ.
func (t *Table) firsts(column int) []int {
	first, known, differ := make([]int, len(t.rows)), make(map[string]int, len(t.rows)), true
	for i, row := range t.rows {
		at, again := known[row[column]]
		if !again {
			at = i
			known[row[column]] = i
		}
		first[i], differ = at, differ && !again
	}
	if differ {
		return nil
	}
	return first
}

// First returns the first row with the id of a row, counted from 0.
func (t *Table) First(row int) int {
	if t.first == nil {
		return row
	}
	return t.first[row]
}

// Identifies reports whether a column says who a user is: no two users have the
// same text in it, except for rows of the same id.
func (t *Table) Identifies(column int) bool {
	for row, first := range t.firsts(column) {
		if t.First(row) != t.First(first) {
			return false
		}
	}
	return true
}

// Names reports whether a text says who a user is: it has the hole of a column
// that identifies. A nil Table has none.
func (t *Table) Names(has func(hole string) bool) bool {
	if t == nil {
		return false
	}
	for column, name := range t.columns {
		if has("{"+name+"}") && t.Identifies(column) {
			return true
		}
	}
	return false
}

// Numbers returns the ids of the users if they are whole numbers from 0 to 2^63-1
// without zeros in front, or an error that names the first that is not.
func (t *Table) Numbers() ([]int64, error) {
	id, numbers := t.Column("id"), make([]int64, len(t.rows))
	for i, row := range t.rows {
		n, err := strconv.ParseInt(row[id], 10, 64)
		if err != nil || n < 0 || strconv.FormatInt(n, 10) != row[id] {
			return nil, fmt.Errorf("users: the id of user %d in %s is %q, which is not a whole number from 0 to 2^63-1", i+1, t.name, row[id])
		}
		numbers[i] = n
	}
	return numbers, nil
}

// checkColumns returns an error unless each column has a name of its own that a
// hole can hold.
func (t *Table) checkColumns() error {
	for i, name := range t.columns {
		name = strings.TrimSpace(name)
		t.columns[i] = name
		switch {
		case name == "":
			return fmt.Errorf("column %d has no name: the first line names the columns, such as id,token", i+1)
		case strings.ContainsAny(name, "{}") || strings.ContainsFunc(name, func(c rune) bool { return c < ' ' || c == 0x7f }):
			return fmt.Errorf("column %d is named %q: use a name without braces and control characters", i+1, name)
		case slices.Contains(t.columns[:i], name):
			return fmt.Errorf("two columns are named %q", name)
		}
	}
	return nil
}

// Name returns what the file is called.
func (t *Table) Name() string { return t.name }

// HasID reports whether each user has an id of its own. A nil Table has none.
func (t *Table) HasID() bool { return t != nil && t.Column("id") >= 0 }

// Len returns the number of users.
func (t *Table) Len() int { return len(t.rows) }

// Row returns the row of number n, counted from 0: that of 1 is the first, and after
// the last one they begin again.
func (t *Table) Row(n int64) int {
	rows := int64(len(t.rows))
	return int(((n-1)%rows + rows) % rows)
}

// Columns returns the names of the columns. The caller must not change them.
func (t *Table) Columns() []string { return t.columns }

// Cell returns what user row, from 0, has in a column, from 0.
func (t *Table) Cell(row, column int) string { return t.rows[row][column] }

// Column returns the position of a column, -1 if there is none of that name.
func (t *Table) Column(name string) int { return slices.Index(t.columns, name) }

// Holes returns the names that holes may have, id and then all other columns, and
// the column of each: -1 for an id that t has none for. A nil Table has id alone.
func (t *Table) Holes() (names []string, columns []int) {
	names, columns = []string{"id"}, []int{-1}
	if t == nil {
		return names, columns
	}
	for column, name := range t.columns {
		if name == "id" {
			columns[0] = column
			continue
		}
		names, columns = append(names, name), append(columns, column)
	}
	return names, columns
}

// Check returns an error if a template in a place cannot hold what a user has
// in one of the columns it names: a line break in a header, which would begin
// another one (RFC 9110, section 5.5). columns has the column of each hole, -1 for
// one that is none.
func (t *Table) Check(template Template, columns []int) error {
	if template.place != Header {
		return nil
	}
	for _, p := range template.parts {
		if p.hole < 0 || columns[p.hole] < 0 {
			continue
		}
		column := columns[p.hole]
		for i, row := range t.rows {
			if strings.ContainsFunc(row[column], func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
				return fmt.Errorf("users: %s of user %d has a control character, which no header may have", t.columns[column], i+1)
			}
		}
	}
	return nil
}
