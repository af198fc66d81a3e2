package replica

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"example.org/comet/server/subscriptions"
)

// network carries the messages of servers, one after the other.
type network struct {
	t *testing.T
	// pass decides how many times a message arrives; nil is once.
	pass func(from, to string, m *message) int

	mu    sync.Mutex
	nodes map[string]*node
}

// node is a server on a network.
type node struct {
	*Replica
	*network
	file *subscriptions.File
	name string
	log  bytes.Buffer // read once the node has ended

	inbox  chan posted
	cancel context.CancelFunc
	work   sync.WaitGroup
}

// posted is a message on its way.
type posted struct {
	from string
	text []byte
}

func newNetwork(t *testing.T) *network {
	t.Helper()
	return &network{t: t, nodes: make(map[string]*node)}
}

// friends returns the path of a file of who follows whom.
func friends(t *testing.T, edges string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "friends.db")
	if _, err := subscriptions.Import(t.Context(), path, subscriptions.NewEdges(strings.NewReader(edges), "edges"), false); err != nil {
		t.Fatal(err)
	}
	return path
}

// add starts a server with a file, linked.
func (w *network) add(name string, file *subscriptions.File) *node {
	n := &node{network: w, file: file, name: name, inbox: make(chan posted, 4096)}
	n.Replica = New(Config{File: file, Name: name, Post: n.post, Logger: slog.New(slog.NewTextHandler(&n.log, nil))})
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	n.work.Go(func() { n.Run(ctx) })
	n.work.Go(func() {
		for m := range n.inbox {
			n.Receive(m.from, m.text)
		}
	})
	w.mu.Lock()
	w.nodes[name] = n
	w.mu.Unlock()
	n.Link(true)
	return n
}

// open opens a file and starts a server with it.
func (w *network) open(name, path string, open func(string) (*subscriptions.File, error)) *node {
	w.t.Helper()
	file, err := open(path)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.add(name, file)
}

// end ends a server, in order or as if it had been killed.
func (n *node) end(killed bool) {
	if killed {
		n.cut()
	}
	n.cancel()
	n.network.mu.Lock()
	delete(n.nodes, n.name)
	close(n.inbox)
	n.network.mu.Unlock()
	n.work.Wait()
	if err := n.file.Close(); err != nil {
		n.t.Error(err)
	}
}

// cut takes a server off the network, so that nothing passes.
func (n *node) cut() { n.Link(false) }

func (n *node) post(to string, text []byte) error {
	m, ok := parse(text)
	if !ok {
		n.t.Errorf("%s posts %s", n.name, text)
	}
	n.network.mu.Lock()
	defer n.network.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(n.nodes)) {
		other := n.nodes[name]
		if other == n || to != "" && to != name || !other.isLinked() {
			continue
		}
		times := 1
		if n.pass != nil {
			times = n.pass(n.name, name, &m)
		}
		for range times {
			other.inbox <- posted{n.name, text}
		}
	}
	return nil
}

func (n *node) isLinked() bool {
	n.Replica.mu.Lock()
	defer n.Replica.mu.Unlock()
	return n.linked
}

// change makes a change, and returns how many servers have it, of how many.
func (n *node) change(do func(int64, ...int64) (subscriptions.Changed, error), follower int64, publishers ...int64) string {
	n.t.Helper()
	changed, err := do(follower, publishers...)
	if err != nil {
		n.t.Fatal(err)
	}
	nodes, known := n.Confirmed(n.t.Context(), changed)
	return fmt.Sprintf("%d of %d", nodes, known)
}

// follows returns whom a follower follows.
func (n *node) follows(follower int64) string {
	n.t.Helper()
	ids, _, err := n.file.Publishers(follower)
	if err != nil {
		n.t.Fatal(err)
	}
	return fmt.Sprint(slices.Collect(ids))
}

// ready returns what is missing, "" for nothing.
func (n *node) ready() string {
	if err := n.Ready(); err != nil {
		return err.Error()
	}
	return ""
}
