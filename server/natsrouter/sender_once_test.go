//go:build !nonats

package natsrouter

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"example.org/comet/server/natsrouter/natstest"
)

// answerer stands for a node, or for a foreign subscriber. It answers with text,
// or not at all.
func answerer(t *testing.T, url, subject, text string) {
	t.Helper()
	conn, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	_, err = conn.Subscribe(subject, func(m *nats.Msg) {
		if string(m.Data) != "Hello World" {
			t.Errorf("a message reads %q", m.Data)
		}
		if text != "" {
			_ = m.Respond([]byte(text))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
}

func TestPublish(t *testing.T) {
	block, all := blockSubject(DefaultSubjectPrefix, 0), allSubject(DefaultSubjectPrefix)
	for _, c := range []struct {
		name    string
		answers map[string]string // by the subject that is listened on
		want    Reach
	}{
		{"nobody", nil, Reach{Known: true}},
		{"a node with another id", map[string]string{"comet.msg.0.122": "1"}, Reach{Known: true}},
		{"a node", map[string]string{"comet.msg.0.123": "2"}, Reach{Known: true, Connections: 2}},
		{"nodes", map[string]string{"comet.msg.0.123": "2", block: "0", all: "3"}, Reach{Known: true, Connections: 5}},
		{"nodes that hold nobody", map[string]string{block: "0", all: "0"}, Reach{Known: true}},
		{"a subscriber that is no node", map[string]string{all: ""}, Reach{}},
		{"one that answers something else", map[string]string{all: "thanks", "comet.*.*.*": "-1"}, Reach{}},
		{"a node among others", map[string]string{all: "thanks", block: "1"}, Reach{Known: true, Connections: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url := natstest.Start(t, nil).ClientURL()
			for subject, text := range c.answers {
				answerer(t, url, subject, text)
			}
			got, err := Publish(t.Context(), Servers{URLs: []string{url}}, 123, []byte("Hello World"))
			if err != nil || got != c.want {
				t.Errorf("it reached %+v, %v, want %+v", got, err, c.want)
			}
		})
	}
}

// TestPublishThroughCluster: the node is at another router.
func TestPublishThroughCluster(t *testing.T) {
	first := natstest.Start(t, clustered())
	second := natstest.Start(t, clustered("nats://"+first.ClusterAddr().String()))
	answerer(t, first.ClientURL(), "comet.msg.0.123", "1")
	answerer(t, second.ClientURL(), "comet.msg.0.123", "1")
	servers := Servers{URLs: []string{second.ClientURL()}}
	awaitThat(t, "both nodes are reached", func() bool {
		got, err := Publish(t.Context(), servers, 123, []byte("Hello World"))
		if err != nil {
			t.Fatal(err)
		}
		return got == Reach{Known: true, Connections: 2}
	})
}

func TestForbiddenToPublish(t *testing.T) {
	for _, c := range []struct {
		may  func(*server.Options)
		says string
	}{
		{mayOnly("elsewhere", ">"), "does not let us publish on comet.msg.*.*"},
		{mayOnly(">", "elsewhere"), "does not let us listen for answers on _INBOX.>"},
	} {
		url := natstest.Start(t, c.may).ClientURL()
		_, err := Publish(t.Context(), Servers{URLs: []string{url}, Credentials: "comet:secret"}, 1, nil)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("error %v, want one with %q", err, c.says)
		}
	}
}

// TestAnAnswerThatCameInTimeCounts, however late a busy machine has the sender look.
func TestAnAnswerThatCameInTimeCounts(t *testing.T) {
	conn, err := nats.Connect(natstest.Start(t, nil).ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answers, err := conn.SubscribeSync("answers")
	if err != nil {
		t.Fatal(err)
	}
	past := time.Now().Add(-time.Second)
	if err := errors.Join(conn.Publish("answers", []byte("2")), conn.Flush()); err != nil { // which waits until it is here
		t.Fatal(err)
	}
	if answer, err := nextAnswer(t.Context(), answers, past); err != nil || string(answer.Data) != "2" {
		t.Errorf("%v, want the answer", err)
	}
	if _, err := nextAnswer(t.Context(), answers, past); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want that there is none", err)
	}
}
