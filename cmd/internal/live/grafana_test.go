package live

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"example.org/comet/cmd/internal/result"
	"example.org/comet/server"
	"example.org/comet/server/natsrouter/broker"
)

// TestGrafana: the dashboard asks for nothing that the server, the router or a run
// does not have, neither by name nor by label.
func TestGrafana(t *testing.T) {
	text, err := os.ReadFile("../../../.dist/grafana.json")
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(text) {
		t.Fatal("the dashboard is no JSON")
	}
	labels := realMetrics(t)
	targets := regexp.MustCompile(`"expr": ("(?:[^"\\]|\\.)*"),\n\s+"legendFormat": ("(?:[^"\\]|\\.)*")`).FindAllSubmatch(text, -1)
	if len(targets) < 25 {
		t.Errorf("only %d figures are drawn", len(targets))
	}
	for _, target := range targets {
		var expr, legend string
		if json.Unmarshal(target[1], &expr) != nil || json.Unmarshal(target[2], &legend) != nil {
			t.Fatalf("%s", target[0])
		}
		name := regexp.MustCompile(`\b(comet|process|go)_[a-z_]+`).FindString(expr)
		if _, there := labels[name]; !there {
			t.Errorf("no /metrics has %q, of %s", name, expr)
		}
		for _, label := range regexp.MustCompile(`\{\{([a-z]+)\}\}|by \(([a-z]+)\)|([a-z]+)="`).FindAllStringSubmatch(expr+legend, -1) {
			if l := label[1] + label[2] + label[3]; l != "instance" && !strings.Contains(labels[name], l+`="`) { // instance is Prometheus's own
				t.Errorf("%s has no label %s, of %s", name, l, expr)
			}
		}
	}
	for _, name := range regexp.MustCompile(`\b(?:comet|process|go)_[a-z_]+`).FindAllString(string(text), -1) {
		if _, there := labels[name]; !there {
			t.Errorf("no /metrics has %s", name)
		}
	}
}

// realMetrics returns the labels of every figure that a server, a router and a run
// give, by its name.
func realMetrics(t *testing.T) map[string]string {
	t.Helper()
	run, _ := start(t, Config{})
	m, _ := full(t)
	run.Add(m, result.Quantiles{P50: result.Of(1)})
	s, err := server.New(server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Loops: 1})
	if err != nil {
		t.Fatal(err)
	}
	b, err := broker.New(broker.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	for _, serve := range []func(context.Context) error{s.Run, b.Run} {
		serving.Go(func() {
			if err := serve(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	defer serving.Wait()
	defer cancel()
	labels := make(map[string]string)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, at := range []net.Addr{run.Addr(), s.AdminAddr(), b.AdminAddr()} {
		answer, err := client.Get("http://" + at.String() + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		for _, sample := range regexp.MustCompile(`(?m)^([a-z_]+)(\{.*\})? `).FindAllStringSubmatch(string(text), -1) {
			labels[sample[1]] += sample[2]
		}
	}
	return labels
}
