package agent

import (
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
)

// TestFramesThatAreLost: a number that is jumped over, or comes again, ends the session.
func TestFramesThatAreLost(t *testing.T) {
	for _, c := range []struct {
		name string
		come []string
		want string
	}{
		{"in order", []string{frameText(1), frameText(2), frameText(3)}, ""},
		{"one is lost", []string{frameText(1), frameText(3)}, "web1: of what it said something was lost on the way (3 came after 1)"},
		{"the first is lost", []string{frameText(2)}, "(2 came after 0)"},
		{"one comes twice", []string{frameText(1), frameText(1)}, "(1 came after 1)"},
		{"rubbish", []string{"rubbish"}, "web1: it is no frame"},
		{"no text", []string{`{"n":1}`}, "web1: it is no frame"},
	} {
		said, taken := "", 0
		l := &link{whom: "web1", take: func(frame) { taken++ }, broken: func(err error) { said += err.Error() }}
		for _, text := range append(c.come, frameText(uint64(len(c.come)+1))) {
			l.receive(&nats.Msg{Data: []byte(text)})
		}
		if c.want == "" && (said != "" || taken != len(c.come)+1) || !strings.Contains(said, c.want) {
			t.Errorf("%s: %q, %d taken; want %q", c.name, said, taken, c.want)
		}
	}
}

func frameText(n uint64) string {
	head, _ := json.Marshal(frame{N: n, Kind: beatFrame})
	return string(head) + "\n"
}

func TestBuffer(t *testing.T) {
	b := new(buffer)
	read := make(chan string, 1)
	go func() {
		text, err := io.ReadAll(b)
		if err != nil {
			t.Error(err)
		}
		read <- string(text)
	}()
	for range 1000 {
		if n, err := b.Write([]byte("some text ")); n != 10 || err != nil {
			t.Fatal(n, err)
		}
	}
	b.Close()
	if text := <-read; text != strings.Repeat("some text ", 1000) {
		t.Errorf("%d bytes came", len(text))
	}
	if _, err := b.Write([]byte("more")); err == nil {
		t.Error("a closed buffer takes more")
	}
}
