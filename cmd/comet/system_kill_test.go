//go:build system

package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Half of 15,000 connections is at each of two nodes, a and b, and 500 messages
// a second go to each half: so it is known of each message whose it was.
const half = 7500

// killing is two nodes under traffic, of which something is killed.
type killing struct {
	a, b           *serverNode
	floodA, floodB *floodRun
	genA, genB     *generator
}

// startKilling has the messages flow for seconds, to a through routersA and to
// b through routersB. The nodes are told of nodesA and nodesB.
func startKilling(t *testing.T, nodesA, nodesB, routersA, routersB string, seconds int) *killing {
	t.Helper()
	k := &killing{a: startNode(t, nodesA), b: startNode(t, nodesB)}
	k.floodA = startFlood(t, streams(k.a.addr, 1, half))
	k.floodB = startFlood(t, streams(k.b.addr, half+1, 2*half))
	reaches(t, routersA, half, 1)
	reaches(t, routersB, 2*half, 1)
	length := fmt.Sprintf("%ds", seconds)
	k.genA = startMsggen(t, routersA, 1, half, "--rate", "500", "-d", length)
	k.genB = startMsggen(t, routersB, half+1, 2*half, "--rate", "500", "-d", length)
	for _, f := range []*floodRun{k.floodA, k.floodB} {
		eventually(t, "messages flow", func() bool { return f.now(t).Delivered > 200 })
	}
	return k
}

// outcome is what became of the messages to one of the halves.
type outcome struct {
	sentCounts
	got floodCounts
}

func (k *killing) outcomes(t *testing.T) (a, b outcome) {
	t.Helper()
	a.sentCounts, b.sentCounts = k.genA.result(t), k.genB.result(t)
	a.got, b.got = k.floodA.settle(t), k.floodB.settle(t)
	for _, o := range []outcome{a, b} {
		if o.got.Duplicated > 0 {
			t.Errorf("%d messages came twice to a connection", o.got.Duplicated)
		}
		if o.got.Delivered > o.Sent+o.Unknown {
			t.Errorf("%d were delivered, more than %s", o.got.Delivered, o.sentCounts)
		}
	}
	return a, b
}

func (o outcome) missing() int { return o.Sent - o.got.Delivered }

func (o outcome) String() string {
	missing := fmt.Sprint("missing ", o.missing())
	if o.missing() < 0 {
		missing = fmt.Sprintf("missing none, delivered of the unknown %d", -o.missing())
	}
	return fmt.Sprintf("%s, delivered %d, %s; connections lost %d", o.sentCounts, o.got.Delivered, missing, o.got.Closed)
}

// all checks that nothing of a half is lost that nobody killed.
func (o outcome) all(t *testing.T, whose string) {
	t.Helper()
	if o.got.Closed > 0 || o.missing() != 0 || o.Refused+o.Unknown > 0 {
		t.Errorf("%s was to lose nothing: %s", whose, o)
	}
}

// everybody sends one message to each id and sees it arrive at every one: all
// interest is in force again.
func (k *killing) everybody(t *testing.T, routers string) {
	t.Helper()
	beforeA, beforeB := k.floodA.now(t), k.floodB.now(t)
	sent := startMsggen(t, routers, 1, 2*half, "--rate", "10000", "--distribution", "sequential", "--count", fmt.Sprint(2*half)).result(t)
	if sent.Sent != 2*half {
		t.Errorf("a message to each: %s", sent)
	}
	afterA, afterB := k.floodA.settle(t), k.floodB.settle(t)
	gotA, gotB := afterA.Delivered-beforeA.Delivered, afterB.Delivered-beforeB.Delivered
	if gotA != half || gotB != half || afterA.Duplicated+afterB.Duplicated > 0 {
		t.Errorf("of a message to each id %d and %d came, want %d each", gotA, gotB, half)
	}
}

// TestSystemKillRouter: the only router is killed, and started again where it
// was. No connection is lost, and all ids are reached again.
func TestSystemKillRouter(t *testing.T) {
	t.Parallel() // it waits more than it works
	listen := someAddress() + ":4222"
	router, at := startRouter(t, "--listen", listen)
	k := startKilling(t, at.URL, at.URL, at.URL, at.URL, 6)
	killed := time.Now()
	router.Process.Kill()
	for _, n := range []*serverNode{k.a, k.b} {
		until(t, "the node is not ready", func() bool { return !n.ready(t) })
	}
	noticed := time.Since(killed)
	time.Sleep(time.Second) // as who starts it again does not do so at once
	if s := k.a.stats(t); s.Connections != half || s.Router.Ready {
		t.Errorf("without a router, a node says %+v", s)
	}
	_, at = startRouter(t, "--listen", listen)
	listens := time.Now()
	for _, n := range []*serverNode{k.a, k.b} {
		until(t, "the node is ready", func() bool { return n.ready(t) })
		if s := n.stats(t); s.Router.Subscriptions != half || s.Router.Pending != 0 || s.Router.Reconnects != 1 {
			t.Errorf("ready, a node says %+v", s)
		}
	}
	complete := time.Since(listens)
	a, b := k.outcomes(t)
	t.Logf("noticed after %v; interest in 15,000 ids complete %v after the router listened again; messages stood still for %v and %v, of that 1 s until it was started",
		noticed.Round(time.Millisecond), complete.Round(time.Millisecond), k.floodA.stillness(t, killed.Add(-100*time.Millisecond), time.Now()), k.floodB.stillness(t, killed.Add(-100*time.Millisecond), time.Now()))
	for who, o := range map[string]outcome{"a": a, "b": b} {
		if o.got.Closed > 0 || o.got.Connected != half {
			t.Errorf("%s lost %d connections by a restart of the router", who, o.got.Closed)
		}
	}
	t.Logf("a: %s", a)
	t.Logf("a %s", k.a.stats(t).drops())
	t.Logf("b: %s", b)
	t.Logf("b %s", k.b.stats(t).drops())
	k.everybody(t, at.URL)
}

// TestSystemKillNode: one of two nodes is killed. Its connections are lost with
// it and nobody else's; the router takes what is sent to them, for nobody.
func TestSystemKillNode(t *testing.T) {
	t.Parallel() // it waits more than it works
	_, at := startRouter(t, "--listen", someAddress()+":0")
	k := startKilling(t, at.URL, at.URL, at.URL, at.URL, 5)
	killed := time.Now()
	k.a.Process.Kill()
	until(t, "its connections are lost", func() bool { return k.floodA.now(t).Connected == 0 })
	lost := time.Since(killed)
	// It comes back where it was, and so do the clients.
	k.a = startNodeAt(t, k.a.addr, k.a.admin, at.URL)
	again := startFlood(t, streams(k.a.addr, 1, half))
	until(t, "messages flow again", func() bool { return again.now(t).Delivered > 0 })
	flows := time.Since(killed)
	a, b := k.outcomes(t)
	t.Logf("its %d connections were lost after %v; restarted, with all of them again, messages flowed %v after the kill", a.got.Closed, lost.Round(time.Millisecond), flows.Round(time.Millisecond))
	t.Logf("a: %s; delivered after it came back %d", a, again.settle(t).Delivered)
	t.Logf("b: %s", b)
	t.Logf("b %s", k.b.stats(t).drops())
	if a.got.Closed != half {
		t.Errorf("%d connections of the node that was killed are closed", a.got.Closed)
	}
	if a.Refused+a.Unknown > 0 {
		t.Errorf("the router is there, and the generator says %s", a.sentCounts)
	}
	b.all(t, "the other node")
	k.floodA = again
	k.everybody(t, at.URL)
}

// TestSystemKillRouterOfThree: one of a cluster of three is killed, that one node
// and one generator are at. Each was told of one router only.
func TestSystemKillRouterOfThree(t *testing.T) {
	t.Parallel() // it waits more than it works
	host := someAddress()
	cluster := []string{"--listen", host + ":0", "--cluster-listen", host + ":0"}
	first, one := startRouter(t, cluster...)
	_, two := startRouter(t, append(cluster, "--routes", one.Route)...)
	_, three := startRouter(t, append(cluster, "--routes", one.Route)...)
	for _, at := range []routerAt{one, two, three} {
		eventually(t, "every router knows the others", func() bool { return len(at.routers(t)) == 2 })
	}
	k := startKilling(t, one.URL, two.URL, one.URL, three.URL, 5)
	killed := time.Now()
	first.Process.Kill()
	until(t, "a is at another router", func() bool {
		s := k.a.stats(t)
		return s.Router.Ready && !strings.Contains(s.Router.URL, one.Addr)
	})
	moved := time.Since(killed)
	a, b := k.outcomes(t)
	s := k.a.stats(t)
	t.Logf("a has its interest in %d ids at another router %v after the kill; messages to it stood still for %v, to b for %v",
		s.Router.Subscriptions, moved.Round(time.Millisecond), k.floodA.stillness(t, killed.Add(-100*time.Millisecond), time.Now()), k.floodB.stillness(t, killed.Add(-100*time.Millisecond), time.Now()))
	t.Logf("a: %s", a)
	t.Logf("a %s", s.drops())
	t.Logf("b: %s", b)
	t.Logf("b %s", k.b.stats(t).drops())
	if a.got.Closed > 0 || a.got.Connected != half || s.Router.Reconnects != 1 || s.Router.Pending != 0 {
		t.Errorf("the node that moved lost %d connections, and says %+v", a.got.Closed, s)
	}
	b.all(t, "the node at another router")
	k.everybody(t, three.URL)
}
