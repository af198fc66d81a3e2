//go:build system

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// network is a switch in a network namespace of its own. Hosts are plugged into
// it: namespaces too, each with one cable.
type network struct {
	ip, name string
	hosts    int
}

// host is a machine of its own, as far as the network goes.
type host struct {
	net     *network
	name    string
	address string
	port    string // of the switch, that its cable is in
}

// newNetwork needs root. The addresses are set aside for tests (RFC 2544); as
// nothing leads out, they may be in use elsewhere.
func newNetwork(t *testing.T) *network {
	t.Helper()
	n := &network{ip: need(t, "ip"), name: fmt.Sprintf("comet-%d-switch", os.Getpid())}
	n.namespace(t, n.name)
	if out, err := exec.CommandContext(t.Context(), n.ip, "-n", n.name, "link", "add", "switch", "type", "bridge").CombinedOutput(); err != nil {
		t.Skipf("a network bridge cannot be made here: %s", out)
	}
	run(t, n.ip, "-n", n.name, "link", "set", "switch", "up")
	return n
}

func (n *network) namespace(t *testing.T, name string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), n.ip, "netns", "add", name).CombinedOutput(); err != nil {
		t.Skipf("a network namespace cannot be made here (root can): %s", out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command(n.ip, "netns", "del", name).CombinedOutput(); err != nil {
			t.Errorf("the namespace %s is left over: %s", name, out)
		}
	})
}

// host makes one and plugs it in.
func (n *network) host(t *testing.T, name string) *host {
	t.Helper()
	n.hosts++
	h := &host{n, fmt.Sprintf("comet-%d-%s", os.Getpid(), name), fmt.Sprintf("198.18.0.%d", n.hosts), fmt.Sprint("port", n.hosts)}
	n.namespace(t, h.name)
	if out, err := exec.CommandContext(t.Context(), n.ip, "-n", h.name, "link", "add", "cable", "type", "veth", "peer", "name", h.port, "netns", n.name).CombinedOutput(); err != nil {
		t.Skipf("a veth link cannot be made here: %s", out)
	}
	// Going first, the link takes with it what sockets still try to say.
	t.Cleanup(func() { _ = exec.Command(n.ip, "-n", n.name, "link", "del", h.port).Run() })
	run(t, n.ip, "-n", n.name, "link", "set", h.port, "master", "switch", "up")
	run(t, n.ip, "-n", h.name, "addr", "add", h.address+"/24", "dev", "cable")
	run(t, n.ip, "-n", h.name, "link", "set", "cable", "up")
	run(t, n.ip, "-n", h.name, "link", "set", "lo", "up")
	return h
}

// on returns a command line that runs on the host.
func (h *host) on(args ...string) []string {
	return append([]string{"netns", "exec", h.name}, args...)
}

// cable cuts it or mends it.
func (h *host) cable(t *testing.T, state string) {
	t.Helper()
	run(t, h.net.ip, "-n", h.net.name, "link", "set", h.port, state)
}

// serve runs comet serve there, with its admin listener on that host's loopback.
func (h *host) serve(t *testing.T, args ...string) *hostedNode {
	t.Helper()
	all := append([]string{"comet", "serve", "--json", "--listen", h.address + ":8000", "--admin", "127.0.0.1:8001"}, args...)
	_, out := background(t, h.net.ip, h.on(all...)...)
	out.await(t, `\{"type":"listening".*\}`)
	return &hostedNode{h, out}
}

// hostedNode is a node that only its own host can ask.
type hostedNode struct {
	*host
	out *output
}

func (n *hostedNode) ask(t *testing.T, path string) (code, body string) {
	t.Helper()
	text := run(t, n.net.ip, n.on("curl", "-s", "-w", "\n%{http_code}", "http://127.0.0.1:8001"+path)...)
	i := strings.LastIndex(text, "\n")
	return text[i+1:], strings.TrimSpace(text[:i])
}

func (n *hostedNode) ready(t *testing.T) bool {
	t.Helper()
	code, _ := n.ask(t, "/readyz")
	return code == "200"
}

func (n *hostedNode) stats(t *testing.T) (s nodeStats) {
	t.Helper()
	_, body := n.ask(t, "/stats")
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		t.Fatalf("/stats is %q: %v", body, err)
	}
	return s
}

// TestSystemHosts has the parts on hosts of their own: the router, two front
// ends, the clients and the sender. The cable of one front end is cut and mended,
// and then that of the other.
func TestSystemHosts(t *testing.T) {
	need(t, "curl")
	network := newNetwork(t)
	routers, clients := network.host(t, "router"), network.host(t, "clients")
	credentials := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(credentials, []byte("comet:secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	openRouter(t, routers)
	listen := routers.address + ":4222"
	_, out := background(t, network.ip, routers.on("comet", "router", "--listen", listen, "--credentials", credentials)...)
	out.await(t, "router on nats://"+listen)
	login := []string{"--router", "nats://" + listen, "--router-credentials", credentials}

	const each = 1000
	h := &hosts{clients: clients, login: login}
	for i, policy := range []string{"accept", "refuse"} {
		node := network.host(t, "front-"+policy).serve(t, append(login, "--without-router", policy)...)
		h.nodes = append(h.nodes, node)
		h.floods = append(h.floods, startFloodBy(t, append([]string{network.ip}, clients.on("comet")...), streams(node.address+":8000", i*each+1, (i+1)*each)))
	}
	for i, node := range h.nodes {
		h.floods[i].await(t, each)
		if !node.ready(t) {
			t.Errorf("%s is not ready", node.name)
		}
	}
	for cut, policy := range []string{"accept", "refuse"} {
		t.Run("cut="+policy, func(t *testing.T) { h.cutAndMend(t, cut, each) })
	}
}

// openRouter: a router that other machines reach does not start without
// credentials, and says what to do.
func openRouter(t *testing.T, on *host) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), on.net.ip, on.on("comet", "router", "--listen", on.address+":4222")...)
	text, _ := cmd.CombinedOutput()
	want := fmt.Sprintf("the router on %s:4222 can be reached from other machines: give it credentials (--credentials FILE, or COMET_ROUTER_CREDENTIALS), or put it on 127.0.0.1", on.address)
	if cmd.ProcessState.ExitCode() != 2 || !strings.Contains(string(text), want) {
		t.Errorf("without credentials: exit code %d, %q; want 2 and %q", cmd.ProcessState.ExitCode(), text, want)
	}
}

// hosts are two front ends, the first that lets clients in while the router is
// away and the second that does not, and what is connected to them.
type hosts struct {
	clients *host
	login   []string
	nodes   []*hostedNode
	floods  []*floodRun
}

// send starts a generator of messages to the first ids of a front end, one after
// the other.
func (h *hosts) send(t *testing.T, node, each, ids int, args ...string) *generator {
	t.Helper()
	first := node*each + 1
	all := append([]string{"comet"}, msggenArgs(h.login[1], first, first+ids-1, h.login[2:]...)...)
	all = append(append(all, "--distribution", "sequential"), args...)
	cmd, out := background(t, h.clients.net.ip, h.clients.on(all...)...)
	return &generator{cmd, out}
}

func (h *hosts) cutAndMend(t *testing.T, cut, each int) {
	t.Helper()
	const some = 100
	node, other := h.nodes[cut], 1-cut
	beforeCut, beforeOther := h.floods[cut].now(t), h.floods[other].now(t)
	// Some of the ids only, each often, so that a gap before a message shows.
	toCut, toOther := h.send(t, cut, each, some, "--rate", "200"), h.send(t, other, each, some, "--rate", "200")
	eventually(t, "each has had a message", func() bool {
		return h.floods[cut].now(t).Delivered > beforeCut.Delivered+some && h.floods[other].now(t).Delivered > beforeOther.Delivered+some
	})

	node.cable(t, "down")
	cutAt := time.Now()
	eventually(t, "the front end has noticed", func() bool { return !node.ready(t) })
	noticed := time.Since(cutAt)
	if _, why := node.ask(t, "/readyz"); !strings.Contains(why, "has been away") {
		t.Errorf("/readyz says %q", why)
	}
	if s := node.stats(t); s.Connections != each || s.Router.Ready {
		t.Errorf("cut off, the front end says %+v; its connections are to stay open", s)
	}
	h.newcomer(t, cut)
	duringOther := h.floods[other].now(t)
	eventually(t, "traffic goes on at the other", func() bool { return h.floods[other].now(t).Delivered > duringOther.Delivered+20 })
	if !h.nodes[other].ready(t) {
		t.Error("the other front end is not ready")
	}

	node.cable(t, "up")
	mended := time.Now()
	eventually(t, "the front end is ready", func() bool { return node.ready(t) })
	green := time.Since(mended)
	back := h.floods[cut].now(t)
	eventually(t, "traffic comes back", func() bool { return h.floods[cut].now(t).Delivered > back.Delivered+2*some })
	sentCut, sentOther := toCut.stop(t), toOther.stop(t)
	gotCut, gotOther := h.floods[cut].settle(t), h.floods[other].settle(t)
	deliveredCut, deliveredOther := gotCut.Delivered-beforeCut.Delivered, gotOther.Delivered-beforeOther.Delivered
	t.Logf("not ready %v after the cable was cut, ready again %v after it was mended", noticed.Round(time.Millisecond), green.Round(time.Millisecond))
	missing := gotCut.Missing - beforeCut.Missing
	t.Logf("the one cut off: %s, delivered %d, missing %d, connections lost %d; %s", sentCut, deliveredCut, missing, gotCut.Closed, node.stats(t).drops())
	t.Logf("the other:       %s, delivered %d, missing %d, connections lost %d", sentOther, deliveredOther, sentOther.Sent-deliveredOther, gotOther.Closed)
	if sentCut.Refused+sentCut.Unknown+sentOther.Refused+sentOther.Unknown > 0 {
		t.Errorf("the router is there for the senders, and they say %s and %s", sentCut, sentOther)
	}
	if deliveredOther != sentOther.Sent || gotOther.Closed > 0 || gotOther.Duplicated > 0 {
		t.Errorf("the other front end was to lose nothing: %+v", gotOther)
	}
	if gotCut.Closed > 0 || gotCut.Duplicated > 0 || missing == 0 || missing != sentCut.Sent-deliveredCut {
		t.Errorf("the one cut off: %+v; its connections are to stay open, and what was sent meanwhile is missing", gotCut)
	}

	// All of both are reached again: one message to each.
	for i, flood := range h.floods {
		before := flood.now(t).Delivered
		sent := h.send(t, i, each, each, "--rate", "5000", "--count", fmt.Sprint(each)).result(t)
		if got := flood.settle(t).Delivered - before; got != each || sent.Sent != each {
			t.Errorf("of a message to each id of front end %d, %d came, and %s", i+1, got, sent)
		}
	}
	if s := node.stats(t); s.Connections != each || s.Router.Subscriptions != each || s.Router.Pending != 0 || s.Router.Reconnects != 1 {
		t.Errorf("in the end the front end says %+v", s)
	}
}

// newcomer comes to a front end that has lost the router, by another way than
// the cable.
func (h *hosts) newcomer(t *testing.T, at int) {
	t.Helper()
	node := h.nodes[at]
	text := run(t, node.net.ip, node.on("sh", "-c", "curl -s -i -N -m 1 http://"+node.address+":8000/test/1 || test $? = 28")...)
	want := []string{"HTTP/1.1 200 OK", "HTTP/1.1 503 "}[at]
	if !strings.HasPrefix(text, want) {
		t.Errorf("a new client is answered %q, want %q", text, want)
	}
	if at == 1 && (!strings.Contains(text, "Retry-After: ") || node.stats(t).RefusedAway != 1) {
		t.Errorf("refused with %q, and counted %d", text, node.stats(t).RefusedAway)
	}
}
