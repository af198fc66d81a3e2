package agent

import (
	"bytes"
	"encoding/json"
	"math"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"example.org/comet/cmd/internal/flags"
	"example.org/comet/cmd/internal/probe"
	"example.org/comet/flood"
	"example.org/comet/flood/users"
	"example.org/comet/server/tlsclient"
	"example.org/comet/sysctl"
)

// wireText returns a frame as it is sent.
func wireText(tb testing.TB, f frame) []byte {
	tb.Helper()
	head, err := json.Marshal(f)
	if err != nil {
		tb.Fatal(err)
	}
	return append(append(head, '\n'), f.text...)
}

// between divides what one input of a fuzz target has into messages of NATS.
const between = "\x00\x00"

// FuzzFromAgent: of what an agent says, the frames up to the first that is wrong are taken,
// each as it was sent, and the session then ends, once. The output of a process is passed
// on to the byte.
func FuzzFromAgent(f *testing.F) {
	var all [][]byte
	for i, one := range []frame{
		{Kind: beatFrame, Usage: map[int32]probe.Usage{7: {}}, Deep: true},
		{Kind: startedFrame, Process: 1, PID: 7},
		{Kind: outputFrame, Process: 1, text: []byte("{\"type\":\"sample\"}\nx\n")},
		{Kind: errorsFrame, Process: 1, text: []byte("oh")},
		{Kind: outputFrame, Process: 2, text: []byte("of another")},
		{Kind: endedFrame, Process: 1, CPU: time.Second, Error: "exit 1"},
		{Kind: leaveFrame, Error: "was told to end"},
	} {
		one.N = uint64(i) + 1
		all = append(all, wireText(f, one))
		f.Add(all[i])
	}
	f.Add(bytes.Join(all, []byte(between)))
	f.Add(bytes.Join(all[:4], []byte(between)))
	f.Add([]byte("{\"n\":1,\"kind\":\"beat\",\"usage\":{\"-1\":null}}\n\x00\x00{\"n\":3}\n\x00\x00{}"))
	f.Add([]byte("{\"n\":1}"))
	f.Add([]byte("{\"n\":18446744073709551615}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		h := newHost(new(Crew), Announcement{Name: "web1"}, "S")
		r := &remote{host: h, number: 1, started: make(chan frame, 1), ended: make(chan struct{})}
		h.remotes[1] = r
		broken, taken := 0, []frame(nil)
		h.link.broken = func(err error) {
			if broken++; err == nil || !strings.Contains(err.Error(), "web1") {
				t.Errorf("it ends for %v", err)
			}
			h.lose(err)
		}
		h.link.take = func(f frame) {
			if broken > 0 {
				t.Errorf("%+v is taken after the end", f)
			}
			taken = append(taken, f)
			h.take(f)
		}
		var want []byte
		isEnd, messages := false, bytes.Split(data, []byte(between))
		for _, message := range messages {
			before := len(taken)
			h.link.receive(&nats.Msg{Data: message})
			if len(taken) == before {
				continue
			}
			got := taken[before]
			if _, text, _ := bytes.Cut(message, []byte("\n")); !bytes.Equal(got.text, text) || got.N != uint64(len(taken)) {
				t.Errorf("%q is taken as %+v with %q", message, got, got.text)
			}
			if got.Process == 1 && got.Kind == outputFrame && !isEnd {
				want = append(want, got.text...)
			}
			isEnd = isEnd || got.Process == 1 && got.Kind == endedFrame
			again := wireText(t, got)
			var back frame
			if head, _, _ := bytes.Cut(again, []byte("\n")); json.Unmarshal(head, &back) != nil || back.Kind != got.Kind || back.N != got.N || back.Process != got.Process || back.PID != got.PID || back.CPU != got.CPU || back.Error != got.Error || back.Deep != got.Deep {
				t.Errorf("%+v is sent as %q", got, again)
			}
		}
		if broken > 1 || len(taken)+broken > 0 == (len(messages) == 0) || len(taken) > len(messages) || (h.Lost() != nil) != (broken > 0) {
			t.Errorf("%d of %d frames are taken, and it ended %d times, %v", len(taken), len(messages), broken, h.Lost())
		}
		if !bytes.Equal(r.out.bytes, want) {
			t.Errorf("the process has said %q, want %q", r.out.bytes, want)
		}
	})
}

// FuzzToAgent: what a session is told, but to start, is held in bounds.
func FuzzToAgent(f *testing.F) {
	f.Add([]byte("{\"n\":1,\"kind\":\"order\",\"process\":1}\n{\"settings\"\x00\x00{\"n\":2,\"kind\":\"order\",\"process\":1}\n:{}}\x00\x00{\"n\":3,\"kind\":\"input\",\"process\":7}\ngo\n"))
	f.Add([]byte("{\"n\":1,\"kind\":\"end\",\"process\":7}\n\x00\x00{\"n\":2,\"kind\":\"input\",\"process\":7}\nlate\x00\x00{\"n\":3,\"kind\":\"kill\",\"process\":7}\n"))
	f.Add([]byte("{\"n\":1,\"kind\":\"release\"}\n\x00\x00{\"n\":2,\"kind\":\"order\",\"process\":-1}\nx"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := newSession(new(Agent), caller{Name: "who"})
		j := new(job)
		s.jobs[7] = j
		broken, orders, input, isClosed := 0, map[int]string{}, "", false
		s.link.broken = func(error) { broken++ }
		s.link.take = func(f frame) {
			switch f.Kind {
			case startFrame, askFrame: // TestOrder has these
				return
			case orderFrame:
				orders[f.Process] += string(f.text)
			case inputFrame:
				if f.Process == 7 && !isClosed {
					input += string(f.text)
				}
			case endFrame:
				isClosed = isClosed || f.Process == 7
			}
			s.take(f)
		}
		for message := range bytes.SplitSeq(data, []byte(between)) {
			s.link.receive(&nats.Msg{Data: message})
		}
		if broken > 1 || len(s.orders) > mostJobs+1 || len(s.orders) != len(orders) {
			t.Errorf("it ended %d times, with %d orders of %d", broken, len(s.orders), len(orders))
		}
		for number, text := range orders {
			if string(s.orders[number]) != text {
				t.Errorf("order %d is %q, want %q", number, s.orders[number], text)
			}
		}
		if string(j.input.bytes) != input {
			t.Errorf("the process is told %q, want %q", j.input.bytes, input)
		}
	})
}

// FuzzOrder: an order that is taken is one of a flood alone, which names no file, and
// which can be ordered again.
func FuzzOrder(f *testing.F) {
	text, err := newOrder(flood.Config{
		URL: "https://127.0.0.1:1/{id}", Connections: 7, Header: []string{"A: b, c"}, Protocol: flood.SSE, Sources: []netip.Addr{netip.MustParseAddr("127.0.0.9")},
		Behavior: flood.Behavior{Churn: 0.05, Ramp: "1k:10s,10k:30s"}, ClockOffset: -time.Millisecond,
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	for _, text := range []string{
		`{"settings":{"url":["http://h/"],"connections":["10k"],"header":["a: b","c: d"]},"users":"id,x\n1,\"#\"\n"}`, `{"settings":{"users":["/etc/passwd"]}}`, `{"settings":{"log":["x"]}}`,
		`{"settings":{"ca":["f"]},"ca":"PEM"}`, `{"settings":{"connections":["1","2"]}}`, `{"settings":{"url":[]}}`, `{"settings":null,"urls":["http://a/\nhttp://b/"]}`, `{"command":"sh"}`,
		`{"settings":{"source-ip":["127.0.0.2-127.0.0.18"],"ids":["1-5"],"ramp":["30s"],"churn":["5%/s"],"storm":["30s:100%"],"slow-readers":["1%:1KB/s"],"reconnect":["min=1s"]}}`,
		`{"settings":{"resolve":["h:443:127.0.0.1"],"first-message":["WAIT=>x"],"send-every":["30s=x"],"reply":["a=>b"],"run":["00000001"]}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		o, err := readOrder(text)
		if err != nil {
			return
		}
		if table, err := users.Read(strings.NewReader(o.Users), "users.csv"); err == nil {
			again, err := users.Read(strings.NewReader(csvOf(table)), "users.csv")
			if err != nil || !reflect.DeepEqual(again, table) {
				t.Errorf("the users %q are %+v, and then %+v, %v", o.Users, table, again, err)
			}
		}
		cfg, err := o.Settings.Config()
		if err != nil {
			return
		}
		if cfg.TLS != (tlsclient.Options{Insecure: cfg.TLS.Insecure}) || cfg.Users != nil || len(cfg.URLs) > 0 {
			t.Errorf("%s names files: %+v", text, cfg)
		}
		ordered, err := newOrder(cfg)
		if err != nil {
			t.Fatalf("%s cannot be ordered again: %v", text, err)
		}
		o, err = readOrder(ordered)
		if err != nil {
			t.Fatal(err)
		}
		again, err := o.Settings.Config()
		if err != nil || !reflect.DeepEqual(again, cfg) {
			t.Errorf("%s is\n%+v, and ordered again\n%+v, %v", text, cfg, again, err)
		}
	})
}

// FuzzAnnouncement: whatever agents say of their hosts, a load is divided among them to
// the last connection, or refused.
func FuzzAnnouncement(f *testing.F) {
	one := Announcement{Protocol: Protocol, Version: "v1", Name: "web1", Instance: "A", Host: "h", Cores: 2, System: sysctl.UnknownSystem(), Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}
	one.System.OpenFiles = 1024
	text, err := json.Marshal(one)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text, []byte(`{}`), uint16(1000), true)
	f.Add([]byte(`{"name":"a","instance":"B","protocol":1,"system":{"open_files":0}}`), text, uint16(2), false)
	f.Add([]byte(`{"name":"a","instance":"C","system":{"open_files":9223372036854775807,"port_first":-5,"os":"linux"},"addresses":["127.0.0.2","::1","fe80::1%eth0"]}`), []byte(`{"system":null,"addresses":[null,""]}`), uint16(60_000), true)
	f.Fuzz(func(t *testing.T, first, second []byte, connections uint16, sources bool) {
		found, hosts := make(map[string]Announcement), []*Host(nil)
		for _, text := range [][]byte{first, second} {
			var a Announcement
			if json.Unmarshal(text, &a) != nil {
				return
			}
			found[a.Instance] = a
			hosts = append(hosts, &Host{Announcement: a})
			again, err := json.Marshal(a)
			var back Announcement
			if err == nil {
				err = json.Unmarshal(again, &back)
			}
			if err != nil || back.Name != a.Name || back.Protocol != a.Protocol || len(back.Addresses) != len(a.Addresses) {
				t.Errorf("%+v is announced as %s: %v", a, again, err)
			}
		}
		for _, wanted := range []flags.Agents{{Count: 1}, {Count: 2}, {Names: []string{"web1"}}} {
			chosen, err := choose(found, wanted)
			if n := max(wanted.Count, len(wanted.Names)); err == nil && len(chosen) != n || err != nil && len(chosen) > 0 {
				t.Errorf("%d agents are chosen of %d, %v", len(chosen), n, err)
			}
			for _, a := range chosen {
				if a.Protocol != Protocol || a.Busy != "" {
					t.Errorf("%+v is chosen", a)
				}
			}
		}
		load := Load{Connections: int(connections)}
		if sources {
			load.Sources = []netip.Addr{netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("10.0.0.1")}
		}
		shares, err := Divide(load, hosts)
		if err != nil {
			if _, isRefusal := err.(Refusal); !isRefusal || shares != nil { //nolint:errorlint // it is one itself
				t.Errorf("%v, %+v", err, shares)
			}
			return
		}
		sum := 0
		for _, s := range shares {
			if sum += s.Connections; s.Connections < 1 || s.Host < 0 || s.Host >= len(hosts) {
				t.Errorf("a share is %+v", s)
			}
			for _, addr := range s.Sources {
				if !hosts[s.Host].owns(addr) {
					t.Errorf("%+v connects from an address of another host", s)
				}
			}
		}
		if sum != load.Connections || len(shares) > math.MaxUint16 {
			t.Errorf("%d of %d connections are in %d shares", sum, load.Connections, len(shares))
		}
	})
}
