//go:build !nonats

package natsrouter

import (
	"fmt"
	"strings"
	"testing"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"example.org/comet/server"
	"example.org/comet/server/natsrouter/natstest"
	"example.org/comet/server/router"
)

// TestRubbish: whatever the interest, only what is published on the one subject of an id
// comes to it, unless it is longer than a message may be, and no answer goes to a subject of messages, events, changes or reports.
func TestRubbish(t *testing.T) {
	rubbish := []string{
		"comet.msg.0.01", "comet.msg.00.1", "comet.msg.1.1", "comet.msg.0.1024", "comet.msg.0.+1", "comet.msg.0.-1", "comet.msg.x.1",
		"comet.msg.0.1.1", "comet.msg.0.1.0", "comet.msg.1", "comet.msg.0", "comet.msg.0.x", "comet.msg.9007199254740992.9223372036854775808",
		"comet.msg.event.follow.1", "comet.msg.event.follow.x", "comet.msg.event.change.all", "comet.msg.event.1", "comet.msgs.0.1", "Comet.msg.0.1",
	}
	const one, other = "comet.msg.0.1", "comet.msg.1.1024"
	tooLong := strings.Repeat("x", router.MaxMessage+1)
	for _, interest := range []Interest{Exact, Block, All} {
		t.Run("interest="+string(interest), func(t *testing.T) {
			s := natstest.Start(t, func(o *natsserver.Options) { o.MaxPayload = 2 * router.MaxMessage })
			w := startWeb(t, NodeConfig{Servers: at(s), Interest: interest, Name: "n"}, server.Config{})
			w.waitReady(true)
			first, second := w.stream("1"), w.stream("1024")
			from := dialNATS(t, s)
			listens := dialNATS(t, s)
			heard := make(chan *nats.Msg, 1000)
			for _, subject := range []string{"comet.msg.>", "comet.node"} {
				if _, err := listens.ChanSubscribe(subject, heard); err != nil {
					t.Fatal(err)
				}
			}
			if err := listens.Flush(); err != nil {
				t.Fatal(err)
			}
			published := map[string]int{}
			publish := func(subject, reply, text string) {
				published[subject+" "+text]++
				if err := from.PublishMsg(&nats.Msg{Subject: subject, Reply: reply, Data: []byte(text)}); err != nil {
					t.Fatal(err)
				}
			}
			for _, subject := range rubbish {
				publish(subject, other, "rubbish")
			}
			publish(one, "", tooLong)
			replies := []string{other, one, "comet.msg.0.77", "comet.msg.event.follow.1", "comet.msg.event.change.n", "comet.msg.x", "comet.node"}
			for i, reply := range replies {
				publish(one, reply, fmt.Sprint("for an answer ", i))
				publish("comet.node", reply, fmt.Sprint("report ", i))
			}
			for i := range replies {
				first.expect(chunk(i+1, fmt.Sprint("for an answer ", i)))
			}
			// An answer that may be given comes after those that may not.
			if _, err := from.Request(one, []byte("in order"), patience); err != nil {
				t.Fatal(err)
			}
			first.expect(chunk(len(replies)+1, "in order"))
			publish(other, "", "the end")
			second.expect(chunk(1, "the end"))
			for {
				m := <-heard
				if m.Subject == other && string(m.Data) == "the end" {
					break
				}
				if key := m.Subject + " " + string(m.Data); string(m.Data) != "in order" && m.Subject != "comet.msgs.0.1" {
					if published[key]--; published[key] < 0 {
						t.Errorf("on %s somebody says %q, who was not to", m.Subject, m.Data)
					}
				}
			}
		})
	}
}

func TestMayAnswer(t *testing.T) {
	for reply, want := range map[string]bool{
		"": false, "_INBOX.abc": true, "my.inbox.1": true, "comet.msgs.0.1": true, "comet.nodes": true,
		"comet.msg.0.1": false, "comet.msg.": false, "comet.msg.event.change.n": false, "comet.node": false, "comet.node.n": false,
	} {
		if got := mayAnswer(DefaultSubjectPrefix, reply); got != want {
			t.Errorf("%q may be answered: %t, want %t", reply, got, want)
		}
	}
}
