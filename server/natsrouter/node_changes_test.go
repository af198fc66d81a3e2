//go:build !nonats

package natsrouter

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"example.org/comet/server"
	"example.org/comet/server/natsrouter/natstest"
)

// change makes a change, and returns on how many servers it is, of how many.
func (w *web) change(method, path, body string) (nodes, known int) {
	w.t.Helper()
	code, text := w.ask(method, "/subscriptions/"+path, body)
	var answer struct{ Added, Removed, Nodes, Known *int }
	if err := json.Unmarshal([]byte(text), &answer); err != nil || code != 200 || answer.Nodes == nil || answer.Known == nil || answer.Added == nil {
		w.t.Fatalf("%s %s: %d %s, %v", method, path, code, text, err)
	}
	return *answer.Nodes, *answer.Known
}

// waitFollows waits until a server has exactly these publishers of a follower.
func (w *web) waitFollows(follower int, publishers string) {
	w.t.Helper()
	var text string
	waitFor(w.t, fmt.Sprintf("%d to follow %s", follower, publishers), func() bool {
		_, text = w.get(fmt.Sprint("/subscriptions/", follower))
		return text == `{"publishers":[`+publishers+"]}\n"
	})
}

// waitKnown waits until each of servers knows all of them.
func waitKnown(servers ...*web) {
	for _, w := range servers {
		w.t.Helper()
		w.waitReady(true)
		waitFor(w.t, "the servers to know each other", func() bool { return w.Stats().Subscriptions.Nodes == len(servers) })
	}
}

// TestChanges: a change on one node is on the other one when it is answered, and the
// next event goes by it, before and after the router was away.
func TestChanges(t *testing.T) {
	s := startNATSApart(t)
	config := NodeConfig{Servers: at(s), Name: "twin", Events: true} // names distinguish nothing
	a := startWeb(t, config, server.Config{Subscriptions: friends(t, "1 7\n")})
	b := startWeb(t, config, server.Config{Subscriptions: friends(t, "1 7\n"), Engine: server.Goroutine})
	// These have no part in it: one without a file, one with other subjects.
	none := startWeb(t, NodeConfig{Servers: at(s), Interest: All}, server.Config{})
	config.Servers.SubjectPrefix = "other"
	other := startWeb(t, config, server.Config{Subscriptions: friends(t, "1 7\n")})
	waitKnown(a, b)
	waitKnown(other)
	none.waitReady(true)
	everything := none.stream("7,1")
	one, two := a.stream("1,2"), b.stream("2")
	if nodes, known := a.change("PUT", "2/7", ""); nodes != 2 || known != 2 {
		t.Errorf("on %d servers of %d", nodes, known)
	}
	a.ask("POST", "/event/7", "both")
	expectAll([]*client{one, two}, chunk(1, "both"))
	if nodes, known := b.change("PUT", "1", `{"publishers":[8]}`); nodes != 2 || known != 2 {
		t.Errorf("on %d servers of %d", nodes, known)
	}
	a.waitFollows(1, "8")
	stopNATS(s)
	a.waitReady(false)
	b.waitReady(false)
	if nodes, known := a.change("DELETE", "2", ""); nodes != 1 || known != 2 {
		t.Errorf("without a router on %d servers of %d", nodes, known)
	}
	b.change("PUT", "2/9", "") // later: it holds, beside the deletion of all before
	startNATSAt(t, s)
	waitKnown(a, b)
	for _, w := range []*web{a, b} {
		w.waitFollows(2, "9")
		w.waitFollows(1, "8")
		w.waitReady(true)
		w.ask("POST", "/event/9", "after")
	}
	for i := range 2 {
		one.expect(chunk(2+i, "after"))
		two.expect(chunk(2+i, "after"))
	}
	other.waitFollows(1, "7")
	other.waitFollows(2, "")
	_, page := a.get("/metrics")
	if !strings.Contains(page, "\ncomet_subscriptions_nodes 2\n") || !strings.Contains(page, "\ncomet_subscriptions_changes_behind 0\n") {
		t.Errorf("the metrics do not count changes:\n%s", page)
	}
	for _, w := range []*web{a, b, none, other} {
		w.cancel()
	}
	for _, c := range []*client{one, two, everything} {
		if rest := c.rest(); rest != last {
			t.Errorf("what nobody sent: %q", rest)
		}
	}
}

// TestChangesAnew: a node that comes with an older file is ready once it has caught
// up, and one that has gone in order is not waited for.
func TestChangesAnew(t *testing.T) {
	s := natstest.Start(t, nil)
	config := NodeConfig{Servers: at(s), Events: true}
	old := friends(t, "1 7\n")
	a := startWeb(t, config, server.Config{Subscriptions: friends(t, "1 7\n")})
	b := startWeb(t, config, server.Config{Subscriptions: old})
	waitKnown(a, b)
	b.stop()
	waitFor(t, "b to be gone", func() bool { return a.Stats().Subscriptions.Nodes == 1 })
	ids := make([]string, 10_000)
	for i := range ids {
		ids[i] = fmt.Sprint(int64(i) * 1_000_003)
	}
	all := strings.Join(ids, ",")
	if nodes, known := a.change("PUT", "3", `{"publishers":[`+all+`]}`); nodes != 1 || known != 1 {
		t.Errorf("on %d servers of %d", nodes, known)
	}
	b = startWeb(t, config, server.Config{Subscriptions: old})
	waitKnown(a, b)
	b.waitFollows(3, all)
	reader := startWeb(t, config, server.Config{Subscriptions: friends(t, "1 7\n"), SubscriptionsReadOnly: true})
	waitFor(t, "the reader to say what it lacks", func() bool {
		code, text := reader.get("/readyz")
		return code == 503 && strings.Contains(text, "changes of subscriptions and only reads its file")
	})
}

// TestChangesRubbish: whatever comes on the subjects of changes, a node does nothing
// of it, and answers nowhere but to nodes.
func TestChangesRubbish(t *testing.T) {
	s := natstest.Start(t, nil)
	a := startWeb(t, NodeConfig{Servers: at(s), Events: true}, server.Config{Subscriptions: friends(t, "1 7\n")})
	waitKnown(a)
	stream := a.stream("1")
	from := dialNATS(t, s)
	hello := `{"protocol":"comet subscriptions 1","kind":"hello"}`
	subject := string(appendSubject(nil, DefaultSubjectPrefix, 1))
	for _, reply := range []string{subject, "comet.msg.event.change.all", "comet.msg.event.change.a.b"} {
		if err := from.PublishRequest("comet.msg.event.change.all", reply, []byte(hello)); err != nil {
			t.Fatal(err)
		}
	}
	answers, err := from.SubscribeSync("comet.msg.event.change.stranger")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"rubbish", hello} {
		if err := from.PublishRequest("comet.msg.event.change.all", "comet.msg.event.change.stranger", []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if m, err := answers.NextMsg(patience); err != nil || !strings.Contains(string(m.Data), `"protocol":"comet subscriptions 1"`) {
		t.Errorf("%v, %v", m, err)
	}
	if st := a.Stats().Subscriptions; st.Nodes != 2 || st.Rubbish != 1 {
		t.Errorf("%+v", st)
	}
	a.ask("POST", "/send/1", "the first")
	stream.expect(chunk(1, "the first"))
}
