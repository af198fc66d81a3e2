package result_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"example.org/comet/cmd/internal/result"
)

func TestAddTrial(t *testing.T) {
	of, none := result.Of[float64], result.Figure{}
	first := []result.Agent{
		{Name: "web2", Host: "h2", Cores: 4, Connections: of(30), ConnectCPU: of(0.5), MessagesCPU: of(2), ClockOffset: of(-3), ClockError: of(0.4)},
		{Name: "web3", Host: "h3", Cores: 8, Connections: of(10), ConnectCPU: of(0.25), ClockOffset: of(7), ClockError: of(0.1)},
	}
	second := []result.Agent{
		{Name: "web2", Host: "h2", Cores: 4, Connections: of(20), ConnectCPU: of(0.5), ClockOffset: of(-3), ClockError: of(0.2)},
		{Name: "web3", Host: "h3", Cores: 8, Connections: of(20), ConnectCPU: none, MessagesCPU: of(1), ClockError: of(0.3), Lost: "silent"},
	}
	want := []result.Agent{
		{Name: "web2", Host: "h2", Cores: 4, Connections: of(30), ConnectCPU: of(1), MessagesCPU: of(2), ClockOffset: of(-3), ClockError: of(0.4)},
		{Name: "web3", Host: "h3", Cores: 8, Connections: of(20), ConnectCPU: of(0.25), MessagesCPU: of(1), ClockOffset: of(7), ClockError: of(0.3), Lost: "silent"},
	}
	if got := result.AddTrial(result.AddTrial(nil, first), second); !slices.Equal(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	if first[0].ConnectCPU != of(0.5) || second[0].Connections != of(20) {
		t.Error("a trial was changed by the sum")
	}
	if got := result.AddTrial(nil, nil); len(got) != 0 {
		t.Errorf("%+v without agents", got)
	}
}

// TestAgentsOfASearch: a terminal gets a line for each agent, but not for very many.
func TestAgentsOfASearch(t *testing.T) {
	c := &result.Capacity{Search: result.SearchConnections, Server: "web1", Agents: []result.Agent{
		{Name: "web2", Host: "h2", Cores: 4, Connections: result.Of(15_000), ConnectCPU: result.Of(0.5), ClockOffset: result.Of(-3.25), ClockError: result.Of(0.05)},
		{Name: "we\x1bb3", Host: "h\n3", Cores: 8, Lost: "agent web3 has not\x07 been heard of for 5s"},
	}}
	said := func() string {
		var b strings.Builder
		if err := c.Text(&b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	want := `Nothing was tried.

agent  host  cores  connections  CPU connecting  CPU messages  clock ahead  give or take                                      lost
web2     h2      4       15,000         0.500 s             -     -3.25 ms      0.050 ms                                        no
we b3  h; 3      8            -               -             -            -             -  agent web3 has not  been heard of for 5s
`
	if got := said(); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	for i := range 13 {
		c.Agents = append(c.Agents, result.Agent{Name: fmt.Sprint("more", i)})
	}
	if got := said(); !strings.HasSuffix(got, "\n15 agents one by one: see the report.\n") || strings.Contains(got, "more") {
		t.Errorf("%s", got)
	}
	if c.Agents = nil; said() != "Nothing was tried.\n" {
		t.Errorf("%s, without agents", said())
	}
}
