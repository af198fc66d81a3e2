package replica

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"

	"example.org/comet/server/subscriptions"
)

// canceled returns a context that has ended.
func canceled(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// TestReadOnly: a server that only reads its file is known, confirms nothing, holds
// up nobody, and says that it lacks changes.
func TestReadOnly(t *testing.T) {
	paths := []string{friends(t, "1 7\n"), friends(t, "1 7\n")}
	synctest.Test(t, func(t *testing.T) {
		w := newNetwork(t)
		a, b := w.open("a", paths[0], subscriptions.Open), w.open("b", paths[1], subscriptions.OpenReadOnly)
		time.Sleep(greetingTime)
		check(t, "before a change", b.ready(), "")
		before := time.Now()
		check(t, "a", a.change(a.file.Add, 1, 8), "1 of 2")
		if waited := time.Since(before); waited != 0 {
			t.Errorf("it waited for %v", waited)
		}
		synctest.Wait()
		time.Sleep(3 * sayInterval)
		check(t, "a", a.ready(), "")
		says(t, "b", b.ready(), "lacks 1 changes of subscriptions and only reads its file")
		check(t, "b", b.follows(1), "[7]")
		a.end(false)
		b.end(false)
	})
}

// wideIDs returns ids of which each takes 8 bytes in a list.
func wideIDs(n int) []int64 {
	ids := make([]int64, n)
	for i := range ids {
		ids[i] = int64(i+1) << 50
	}
	return ids
}

// shorten makes three changes in a file, and takes the first one out of its journal,
// as it is once there were too many.
func shorten(t *testing.T, path string) {
	t.Helper()
	f, err := subscriptions.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	for id := range int64(3) {
		if _, err := f.Add(1, 10+id); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Update(func(tx *bbolt.Tx) error {
		entries := tx.Bucket([]byte("changes")).Bucket([]byte("by origin"))
		first, _ := entries.Cursor().First()
		return entries.Delete(first)
	}); err != nil {
		t.Fatal(err)
	}
}

// TestLost: a server that was away for longer than journals reach back says so, and
// is ready with a copy of another one's file.
func TestLost(t *testing.T) {
	paths := []string{friends(t, "1 7\n"), friends(t, "1 7\n")}
	shorten(t, paths[0])
	synctest.Test(t, func(t *testing.T) {
		w := newNetwork(t)
		a := w.open("a", paths[0], subscriptions.Open)
		b := w.open("b", paths[1], subscriptions.Open)
		time.Sleep(greetingTime + 3*sayInterval)
		check(t, "a", a.ready(), "")
		says(t, "b", b.ready(), `lacks 3 changes of subscriptions, and server "a" does not have them all in its journal`)
		a.end(false)
		b.end(false)
		says(t, "b's log", b.log.String(), "copy the file of subscriptions")
		b = w.open("b", paths[0], subscriptions.Open)
		time.Sleep(greetingTime)
		check(t, "b", b.ready(), "")
		b.end(false)
	})
}

// TestRubbish: what is no message, or no change, changes nothing, and is counted.
func TestRubbish(t *testing.T) {
	path := friends(t, "1 7\n")
	synctest.Test(t, func(t *testing.T) {
		w := newNetwork(t)
		a := w.open("a", path, subscriptions.Open)
		time.Sleep(greetingTime)
		texts := []string{
			"", "rubbish", "{}", "null", "[]", `{"protocol":"comet subscriptions 2","kind":"state"}`,
			`{"protocol":"comet subscriptions 1","kind":"party"}`,
			`{"protocol":"comet subscriptions 1","kind":"ask"}`,
			`{"protocol":"comet subscriptions 1","kind":"answer"}`,
			`{"protocol":"comet subscriptions 1","kind":"state"} {}`,
			`{"protocol":"comet subscriptions 1","kind":"changes","changes":["cnViYmlzaA=="]}`,
			`{"protocol":"comet subscriptions 1","kind":"changes","changes":[""]}`,
			`{"protocol":"comet subscriptions 1","kind":"have","have":[{"seq":-1}]}`,
			`{"protocol":"comet subscriptions 1","kind":"answer","state":{},"changes":["cnViYmlzaA=="]}`,
		}
		for _, text := range texts {
			a.Receive("stranger", []byte(text))
		}
		if s := a.Stats(); s.Rubbish != uint64(len(texts)) || s.Applied != 0 || s.Behind != 0 {
			t.Errorf("%+v, want %d pieces of rubbish", s, len(texts))
		}
		check(t, "a", a.ready(), "")
		check(t, "a", a.follows(1), "[7]")
		for i := range mostPeers + 10 {
			a.Receive(fmt.Sprint("stranger ", i), []byte(`{"protocol":"comet subscriptions 1","kind":"have"}`))
		}
		if s := a.Stats(); s.Nodes != mostPeers+1 {
			t.Errorf("%d servers are known", s.Nodes)
		}
		a.end(false)
	})
}

// TestPostFails: a change that cannot be sent is made all the same.
func TestPostFails(t *testing.T) {
	path := friends(t, "1 7\n")
	synctest.Test(t, func(t *testing.T) {
		w := newNetwork(t)
		file, err := subscriptions.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		a := &node{network: w, file: file, name: "a"}
		a.Replica = New(Config{File: file, Post: func(string, []byte) error { return errors.New("there is no network") }})
		ctx, cancel := context.WithCancel(context.Background())
		a.work.Go(func() { a.Run(ctx) })
		a.Link(true)
		check(t, "a", a.change(a.file.Add, 1, 8), "1 of 1")
		check(t, "a", a.follows(1), "[7 8]")
		cancel()
		a.work.Wait()
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	})
}

func FuzzReceive(f *testing.F) {
	text, err := json.Marshal(message{Protocol: protocol, Kind: answerKind, State: &subscriptions.State{Horizon: 1}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		if m, ok := parse(text); ok && (m.Protocol != protocol || m.Kind == "") {
			t.Errorf("%q is read as %+v", text, m)
		}
	})
}
