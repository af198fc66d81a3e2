package router

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestDrops: each reason has a label, a field and a key, and is in the sum.
func TestDrops(t *testing.T) {
	var d Drops
	for r := range DropReasons {
		*d.By(r) = 1 << r
	}
	if want := uint64(1<<DropReasons - 1); d.Dropped() != want {
		t.Errorf("the sum is %d, want %d", d.Dropped(), want)
	}
	d.Add(d)
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	var keys map[string]uint64
	if err := json.Unmarshal(text, &keys); err != nil || len(keys) != int(DropReasons) {
		t.Fatalf("%s: %v", text, err)
	}
	for r := range DropReasons {
		if keys["dropped_"+r.String()] != 2<<r {
			t.Errorf("%s has no dropped_%s of %d", text, r, 2<<r)
		}
	}
	if strings.Contains(string(text), "Dropped") {
		t.Errorf("a field of %s has no key", text)
	}
}
