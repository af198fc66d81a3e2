package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"example.org/comet/server/router"
)

// noted is the way to other servers, and notes what is to go there.
type noted []string

func (n *noted) Publish(id int64, message []byte) error {
	*n = append(*n, fmt.Sprintf("%d %s", id, message))
	return nil
}

func (n *noted) PublishEvent(publisher int64, message []byte) error {
	*n = append(*n, fmt.Sprintf("from %d %s", publisher, message))
	return nil
}

func (*noted) Confirm(context.Context) error { return nil }

// plainLine is a line of text: an id as it may be written, and the message.
var plainLine = regexp.MustCompile(`(?s)^([0-9]+) (.*)$`)

// linesByHand returns what lines are to publish, and the number of the first that is wrong,
// 0 for none.
func linesByHand(text string) (all []string, bad int) {
	for i, line := range strings.Split(text, "\n") {
		if i == 0 {
			line = strings.TrimPrefix(line, "\ufeff")
		}
		line = strings.TrimSuffix(line, "\r")
		switch {
		case line == "":
		case line[0] == '{':
			var m struct {
				ID, From *int64
				Message  *string
			}
			if json.Unmarshal([]byte(line), &m) != nil || m.Message == nil || (m.ID == nil) == (m.From == nil) || m.ID != nil && *m.ID < 0 || m.From != nil && *m.From < 0 {
				return all, i + 1
			}
			if m.From != nil {
				all = append(all, fmt.Sprintf("from %d %s", *m.From, *m.Message))
				continue
			}
			all = append(all, fmt.Sprintf("%d %s", *m.ID, *m.Message))
		default:
			m := plainLine.FindStringSubmatch(line)
			if m == nil {
				return all, i + 1
			}
			id, err := strconv.ParseInt(m[1], 10, 64)
			if err != nil {
				return all, i + 1
			}
			all = append(all, fmt.Sprintf("%d %s", id, m[2]))
		}
	}
	return all, 0
}

// FuzzLines: lines of messages are read as by hand, up to the first that is wrong, which the
// error names; how they are cut on the way makes no difference.
func FuzzLines(f *testing.F) {
	for _, text := range []string{
		"1 a\n2 b\n", "\ufeff1 a\r\n\r\n{\"id\":2,\"message\":\"b\\nc\"}", "{\"from\":7,\"message\":\"m\"}\n{\"id\":1,\"from\":7,\"message\":\"m\"}\n", "007 x\n9223372036854775807 \n9223372036854775808 x\n",
		"{\"id\":1.0,\"message\":\"m\"}\n", "{\"ID\":1,\"MESSAGE\":\"m\",\"more\":[{}]}\n", "{\"id\":1,\"message\":null}", "1 a\n\x00\n", "-1 a\n", "+1 a\n", "1\ta\n", " 1 a\n", "1  a \r\r\n", "1 \xff\xfe\n", "\xff\xfe1\x00 \x00", "{\"id\":1,\"message\":\"m\"}{}\n", "{", "1",
	} {
		f.Add([]byte(text))
	}
	s, err := New(Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Subscriptions: filepath.Join(f.TempDir(), "db")})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = s.Close() })
	f.Fuzz(func(t *testing.T, text []byte) {
		want, bad := linesByHand(string(text))
		for _, in := range []struct {
			how  string
			text *bytes.Reader
		}{{"whole", bytes.NewReader(text)}, {"byte by byte", bytes.NewReader(text)}} {
			var got noted
			p := newPublisher(s.core)
			p.others, p.elsewhere = &got, new(elsewhere)
			reader := iotest.DataErrReader(in.text)
			if in.how != "whole" {
				reader = iotest.OneByteReader(in.text)
			}
			err := p.readLines(t.Context(), reader)
			var wrong *lineError
			if errors.As(err, &wrong) != (bad > 0) || err != nil && (wrong == nil || wrong.line != uint64(bad)) {
				t.Errorf("%s, %q: %v, want line %d", in.how, text, err, bad)
			}
			if !slices.Equal(got, want) || p.Sent != uint64(len(want)) {
				t.Errorf("%s, %q: %d messages %q, want %q", in.how, text, p.Sent, got, want)
			}
			if err != nil && strings.ContainsAny(err.Error(), "\x00\r\n\x1b") {
				t.Errorf("%q: the error is %q", text, err)
			}
		}
	})
}

var _ router.Publisher = new(noted)
