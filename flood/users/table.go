package users

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// A Table is a file of users in memory. It does not change, so any number of
// goroutines may read it. A user costs 24 bytes, and 16 more and its text for
// each column.
type Table struct {
	name    string
	columns []string
	rows    [][]string
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
	return t, nil
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

// Columns returns the names of the columns. The caller must not change them.
func (t *Table) Columns() []string { return t.columns }

// Cell returns what user row, from 0, has in a column, from 0.
func (t *Table) Cell(row, column int) string { return t.rows[row][column] }

// Column returns the position of a column, -1 if there is none of that name.
func (t *Table) Column(name string) int { return slices.Index(t.columns, name) }

// Check returns an error if a template in a place cannot hold what a user has
// in one of the columns it names: a line break in a header, which would begin
// another one (RFC 9110, section 5.5). Holes must be numbered as the columns,
// from offset on.
func (t *Table) Check(template Template, offset int) error {
	if template.place != Header {
		return nil
	}
	for _, p := range template.parts {
		column := p.hole - offset
		if column < 0 || column >= len(t.columns) {
			continue
		}
		for i, row := range t.rows {
			if strings.ContainsFunc(row[column], func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
				return fmt.Errorf("users: %s of user %d has a control character, which no header may have", t.columns[column], i+1)
			}
		}
	}
	return nil
}
