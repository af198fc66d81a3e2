package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.org/comet/server/wire"
)

// A chaosFault is something that was done to a part, and how long its effects lasted.
type chaosFault struct {
	what     string
	from, to time.Time
	// groups are the clients that may lose messages by it; nil if it must cost none.
	groups []int
}

// explains reports whether a message to a group that was due then may be missing for f.
func (f *chaosFault) explains(group int, due time.Time) bool {
	return slices.Contains(f.groups, group) && !due.Before(f.from) && !due.After(f.to)
}

// A chaosLedger has each message that came to a client: those of a sequence are the
// messages to one id, which one client of a group has. Its methods are safe for
// concurrent use.
type chaosLedger struct {
	groupOf func(wire.Sequence) int

	mu         sync.Mutex
	got        map[wire.Sequence]map[uint64]time.Time // when each number was due
	duplicates []string
}

func newChaosLedger(groupOf func(wire.Sequence) int) *chaosLedger {
	return &chaosLedger{groupOf: groupOf, got: map[wire.Sequence]map[uint64]time.Time{}}
}

func (l *chaosLedger) add(s wire.Stamp) {
	l.mu.Lock()
	defer l.mu.Unlock()
	numbers := l.got[s.Sequence]
	if numbers == nil {
		numbers = map[uint64]time.Time{}
		l.got[s.Sequence] = numbers
	}
	if _, again := numbers[s.N]; again {
		l.duplicates = append(l.duplicates, fmt.Sprintf("%v.%d", s.Sequence, s.N))
	}
	numbers[s.N] = time.Unix(0, s.Due)
}

// chaosAccount is what became of all messages.
type chaosAccount struct {
	asked, delivered int
	missing          map[string]int // by the fault that explains it
	unexplained      []string
}

// account looks for an explanation of each message that is not there. A generator
// gives the numbers of a sequence without gaps and at equal times, so that who knows its
// neighbours knows when a missing one was due. The last of each sequence must have come.
func (l *chaosLedger) account(begun time.Time, faults []chaosFault) chaosAccount {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := chaosAccount{missing: map[string]int{}}
	for sequence, numbers := range l.got {
		group := l.groupOf(sequence)
		last, lastDue := uint64(0), begun
		for _, n := range slices.Sorted(maps.Keys(numbers)) {
			step := numbers[n].Sub(lastDue) / time.Duration(n-last)
			for missing := last + 1; missing < n; missing++ {
				due := lastDue.Add(time.Duration(missing-last) * step)
				i := slices.IndexFunc(faults, func(f chaosFault) bool { return f.explains(group, due) })
				if i < 0 {
					a.unexplained = append(a.unexplained, fmt.Sprintf("%v.%d of group %d, due %s", sequence, missing, group, due.Format("15:04:05.000")))
					continue
				}
				a.missing[faults[i].what]++
			}
			last, lastDue = n, numbers[n]
		}
		a.asked += int(last)
		a.delivered += len(numbers)
	}
	return a
}

// lost returns how many are missing.
func (a chaosAccount) lost() int { return a.asked - a.delivered }

// TestChaosLedger: a message is explained by a fault that hit its group when it was
// due, and by no other.
func TestChaosLedger(t *testing.T) {
	begun := time.Unix(1_700_000_000, 0)
	at := func(second float64) time.Time { return begun.Add(time.Duration(second * float64(time.Second))) }
	faults := []chaosFault{
		{what: "front 1 killed", from: at(2.5), to: at(4.5), groups: []int{1}},
		{what: "disk full", from: at(0), to: at(100)},
		{what: "broker killed", from: at(6.5), to: at(8.5), groups: []int{1, 2}},
	}
	for name, c := range map[string]struct {
		group       int
		lost        []uint64
		missing     string
		unexplained string
		asked       int
	}{
		"nothing":                              {1, nil, "map[]", "", 10},
		"in a fault of the group":              {1, []uint64{3, 4}, "map[front 1 killed:2]", "", 10},
		"in a fault of another group":          {2, []uint64{3}, "map[]", ".3 of group 2", 10},
		"in a fault of all":                    {2, []uint64{7, 8}, "map[broker killed:2]", "", 10},
		"before a fault":                       {1, []uint64{2, 3}, "map[front 1 killed:1]", ".2 of group 1", 10},
		"after a fault":                        {1, []uint64{5}, "map[]", ".5 of group 1", 10},
		"the first":                            {1, []uint64{1}, "map[]", ".1 of group 1", 10},
		"in two faults, and what lies between": {1, []uint64{3, 4, 5, 6, 7}, "map[broker killed:1 front 1 killed:2]", ".5 of group 1", 10},
		"the last is not known to be missing":  {1, []uint64{10}, "map[]", "", 9},
	} {
		t.Run(name, func(t *testing.T) {
			l := newChaosLedger(func(wire.Sequence) int { return c.group })
			for n := range uint64(10) {
				if !slices.Contains(c.lost, n+1) {
					l.add(wire.Stamp{N: n + 1, Due: at(float64(n + 1)).UnixNano()})
				}
			}
			a := l.account(begun, faults)
			why := strings.Join(a.unexplained, "; ")
			if got := fmt.Sprint(a.missing); got != c.missing || !strings.Contains(why, c.unexplained) || (why == "") != (c.unexplained == "") {
				t.Errorf("missing %v, unexplained %q; want %s, %q", got, why, c.missing, c.unexplained)
			}
			if a.asked != c.asked || a.lost() != c.asked-a.delivered || len(l.duplicates) != 0 {
				t.Errorf("%+v, duplicates %v; want %d asked", a, l.duplicates, c.asked)
			}
			if l.add(wire.Stamp{N: 9}); len(l.duplicates) != 1 {
				t.Errorf("one came twice, and the ledger has %v", l.duplicates)
			}
		})
	}
}
