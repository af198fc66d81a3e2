package msggen

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestDraws: who gets the messages is drawn once more, also where ids are rows.
func TestDraws(t *testing.T) {
	var csv strings.Builder
	csv.WriteString("id\n")
	for row := range 3000 {
		fmt.Fprintf(&csv, "%d\n", 10*row+7)
	}
	for _, shape := range []Distribution{{}, {Shape: Zipf, Exponent: 1}, {Shape: Hot, HotMessages: 0.8, HotIDs: 0.2}, {Shape: Sequential}} {
		k := new(recorder)
		config := Config{Sender: k, Senders: 7, Count: 100, Rate: 1e6, MaxID: 3000, Seed: 5, Distribution: shape, Users: table(t, csv.String())}
		g, err := New(config)
		if err != nil {
			t.Fatal(err)
		}
		r, err := g.Run(t.Context())
		if err != nil || r.Sent != 700 {
			t.Fatalf("%+v, %v", r, err)
		}
		config.Users, config.Seed = nil, r.Seed
		var drawn, sent []int64
		for row := range config.Draws(r.Sent) {
			drawn = append(drawn, 10*(row-1)+7)
		}
		for _, m := range k.messages {
			sent = append(sent, m.id)
		}
		if !slices.Equal(drawn, sent) {
			t.Errorf("%v: drawn %v..., sent %v...", shape, drawn[:5], sent[:5])
		}
	}
	for range (Config{MaxID: 5, Seed: 1}).Draws(1 << 60) {
		break // as soon as nobody wants more
	}
}
