//go:build !nonats

package natsrouter

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"example.org/comet/server"
	"example.org/comet/server/natsrouter/natstest"
)

// TestAllReports: any node has the reports of all, its own among them, and says so when
// it cannot ask.
func TestAllReports(t *testing.T) {
	s := natstest.Start(t, nil)
	var webs []*web
	for _, name := range []string{"a", "b", "c"} {
		webs = append(webs, startWeb(t, NodeConfig{Servers: at(s), Name: name}, server.Config{}))
	}
	for _, w := range webs {
		w.waitReady(true)
	}
	webs[1].stream("7")
	code, text := webs[0].get("/nodes")
	var answer struct{ Nodes []NodeReport }
	if err := json.Unmarshal([]byte(text), &answer); err != nil || code != http.StatusOK {
		t.Fatalf("%d %s: %v", code, text, err)
	}
	held := make(map[string]int64)
	for _, n := range answer.Nodes {
		held[n.Name] = n.Connections
	}
	if len(answer.Nodes) != 3 || held["b"] != 1 || held["a"] != 0 || held["c"] != 0 {
		t.Errorf("%+v", answer.Nodes)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := webs[0].node.Reports(ended); err == nil {
		t.Error("one who has gone is answered")
	}
}
