package bench

import (
	"testing"

	"example.org/comet/flood"
)

func TestAnswersSay(t *testing.T) {
	says := func(server string, statuses map[int]uint64) floodAccount {
		return floodAccount{ended: &flood.Result{Server: server, Statuses: statuses}}
	}
	refused := map[int]uint64{503: 1}
	for _, c := range []struct {
		floods []floodAccount
		want   string
	}{
		{nil, ""},
		{[]floodAccount{{lost: true}, {connected: &flood.Result{Server: "nginx"}}}, "nginx"},
		{[]floodAccount{says("nginx", nil), says("caddy", nil)}, "nginx"},
		{[]floodAccount{says("nginx", nil), says("envoy", refused)}, "envoy"},
		{[]floodAccount{says("nginx", nil), says("", refused)}, "nginx"},
	} {
		if got := answersSay(c.floods); got != c.want {
			t.Errorf("%+v: %q, want %q", c.floods, got, c.want)
		}
	}
}
