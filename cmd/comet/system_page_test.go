//go:build system

package main

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestSystemPage follows a server through its page in a browser, and sends a message
// by it.
func TestSystemPage(t *testing.T) {
	t.Parallel() // it waits more than it works
	chromium, curl := need(t, "chromium"), need(t, "curl")
	axe := axeCore(t)
	server, addr, admin := startServer(t)
	background(t, "comet", "flood", "http://"+addr+"/test/{id}", "-c", "250", "-d", "90s")
	background(t, "comet", "msggen", "--to", "http://"+admin+"/send", "-r", "500", "--max-id", "250", "-d", "90s")
	page := openPage(t, chromium, "http://"+admin+"/")
	page.shows("conns", `^250$`)
	page.shows("rate", `^[45]\d\d written$`)
	page.shows("mem", `^\d+\.\d MiB$`)
	page.shows("cpu", `^\d\.\d+$`)
	page.shows("queue", `^\d+$`)
	page.shows("wait", `^\d+ ms$`)
	page.shows("refused", `^\d+$`)
	page.shows("state", `^Running$`)
	page.shows("about", `^engine \w+, \d+ loops, process `+strconv.Itoa(server.Process.Pid)+`, up 0:\d\d$`)
	eventually(t, "the lines are drawn", func() bool {
		return page.evaluate("document.querySelector('#rate ~ .chart polyline').points.length > 5") == "true"
	})
	page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
	_, stream := background(t, curl, "-sN", "http://"+addr+"/test/7000,1")
	page.shows("conns", `^251$`)
	page.evaluate(`document.getElementById('to').value = '7000'; document.getElementById('message').value = 'a <b> & c'; document.getElementById('form').requestSubmit(); 0`)
	page.shows("answer", `^Sent, to 1 connection; the answer took [0-9.]+ ms\.$`)
	stream.await(t, regexp.QuoteMeta("'a &lt;b&gt; &amp; c'"))
	page.evaluate(`document.getElementById('to').value = '99999999999999999999'; document.getElementById('form').requestSubmit(); 0`)
	page.shows("answer", `^It was not sent: the id must be a whole number`)
	if shown := page.evaluate("document.getElementById('nodes').hidden"); shown != "true" {
		t.Error("a server without a router shows others")
	}
	page.holdToLook(t, "page", axe)
	server.Process.Kill()
	page.shows("state", `does not answer`)
}

// TestSystemPageNodes looks for both of two servers on the page of one.
func TestSystemPageNodes(t *testing.T) {
	t.Parallel() // it waits more than it works
	chromium := need(t, "chromium")
	axe := axeCore(t)
	_, out := background(t, "comet", "router", "--json", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
	url := regexp.MustCompile(`"url":"([^"]+)"`).FindStringSubmatch(out.await(t, `\{"type":"listening".*\}`))[1]
	_, _, admin := startServer(t, "--router", url, "--name", "here")
	_, there, _ := startServer(t, "--router", url, "--name", "there")
	background(t, "comet", "flood", "http://"+there+"/test/{id}", "-c", "12", "-d", "60s")
	page := openPage(t, chromium, "http://"+admin+"/")
	eventually(t, "both servers are shown, with what they hold", func() bool {
		return strings.Contains(page.evaluate("document.getElementById('nodes').innerText"), "here\t0\t0") &&
			regexp.MustCompile(`there\t12\t12\t0\t0\tready`).MatchString(page.evaluate("document.getElementById('nodes').innerText"))
	})
	page.shows("router", `^This one is here: connected to nats://.*; \d+ messages received, \d+ published\.$`)
	page.holdToLook(t, "nodes", axe)
}

// shows waits until an element has a text.
func (p *page) shows(id, pattern string) {
	p.t.Helper()
	text := ""
	eventually(p.t, id+" shows "+pattern, func() bool {
		text = p.evaluate("document.getElementById('" + id + "')?.textContent")
		return regexp.MustCompile(pattern).MatchString(text)
	})
}
