//go:build system

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// accounted is the account of the messages in a result.json, null as nil.
type accounted struct {
	Messages struct {
		Sent, Refused, Unknown, Routed, Dropped, Unaddressed *float64
		Expected, Delivered, Missing, Duplicated, Reordered  *float64
		Offline                                              *float64 `json:"missed_offline"`
		Replayed                                             *float64
		DroppedBy                                            map[string]*float64 `json:"dropped_by_reason"`
		Faults                                               []string
	}
	Interrupted bool
}

// checkAccount checks that the account in a bench's folder adds up, whatever
// happened in the run: what is stated is right, and what is not known is null.
func checkAccount(t *testing.T, folder string) (a accounted) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "result.json"))
	if err == nil {
		err = json.Unmarshal(text, &a)
	}
	if err != nil {
		t.Fatal(err)
	}
	m := a.Messages
	bad := func(is bool, format string, args ...any) {
		t.Helper()
		if is {
			t.Errorf("the account: "+format, args...)
		}
	}
	for name, n := range map[string]*float64{
		"sent": m.Sent, "refused": m.Refused, "unknown": m.Unknown, "routed": m.Routed, "dropped": m.Dropped, "unaddressed": m.Unaddressed, "expected": m.Expected,
		"delivered": m.Delivered, "missing": m.Missing, "duplicated": m.Duplicated, "reordered": m.Reordered, "replayed": m.Replayed,
	} {
		bad(n != nil && (*n < 0 || *n != float64(int64(*n))), "%s is %v", name, value(n))
	}
	bad(m.Missing != nil && (m.Expected == nil || m.Delivered == nil || *m.Expected != *m.Delivered+*m.Missing+zeroed(m.Offline)),
		"expected %s is not delivered %s + missing %s", value(m.Expected), value(m.Delivered), value(m.Missing))
	bad(m.Missing != nil && m.Dropped != nil && *m.Missing < *m.Dropped, "missing %s is below dropped %s", value(m.Missing), value(m.Dropped))
	bad(m.Missing != nil && m.Unknown != nil && *m.Unknown > 0, "of %s messages nobody knows, and missing is %s", value(m.Unknown), value(m.Missing))
	bad(m.Expected != nil && m.Unaddressed != nil && m.Sent != nil && *m.Sent != *m.Expected+*m.Unaddressed,
		"sent %s is not expected %s + unaddressed %s", value(m.Sent), value(m.Expected), value(m.Unaddressed))
	// In a run that was cut short some may be unanswered, which are not in here.
	bad(m.Expected != nil && m.Delivered != nil && m.Unknown != nil && !a.Interrupted && len(m.Faults) == 0 && *m.Delivered > *m.Expected+*m.Unknown,
		"delivered %s is beyond expected %s + unknown %s, and no fault", value(m.Delivered), value(m.Expected), value(m.Unknown))
	reasons := 0.0
	for _, n := range m.DroppedBy {
		if n != nil {
			reasons += *n
		}
	}
	bad(m.Dropped != nil && *m.Dropped != reasons, "dropped %s is not the sum of its reasons %v", value(m.Dropped), reasons)
	return a
}

func value(n *float64) string {
	if n == nil {
		return "null"
	}
	return strconv.FormatFloat(*n, 'f', -1, 64)
}

func (a accounted) String() string {
	m := a.Messages
	return fmt.Sprintf("sent %s, refused %s, unknown %s, routed %s, dropped %s, unaddressed %s, expected %s, delivered %s, missing %s; faults %q",
		value(m.Sent), value(m.Refused), value(m.Unknown), value(m.Routed), value(m.Dropped), value(m.Unaddressed), value(m.Expected), value(m.Delivered), value(m.Missing), m.Faults)
}

// zeroed returns a figure, 0 for one that is null.
func zeroed(f *float64) float64 {
	if f == nil {
		return 0
	}
	return *f
}
