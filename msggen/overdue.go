package msggen

import "time"

// maxGroups bounds what an outage costs: 64 KB.
const maxGroups = 4096

// overdue holds when messages were due that could not be sent, in groups of
// neighbours: the longer an outage, the larger the groups.
type overdue struct {
	groups []group
	// grain is how many messages make a group, 0 for one.
	grain int64
}

// group is n messages, the last of which was due at due: the others have waited
// for longer.
type group struct {
	due time.Duration
	n   int64
}

// add adds messages that were due at dues, none before those that were added
// already.
func (o *overdue) add(dues []time.Duration) {
	for _, due := range dues {
		last := len(o.groups) - 1
		if last >= 0 && o.groups[last].n < o.grain {
			o.groups[last] = group{due, o.groups[last].n + 1}
			continue
		}
		if len(o.groups) == maxGroups {
			o.halve()
		}
		o.groups = append(o.groups, group{due, 1})
	}
}

// halve merges each two neighbours.
func (o *overdue) halve() {
	for i := range len(o.groups) / 2 {
		first, second := o.groups[2*i], o.groups[2*i+1]
		o.groups[i] = group{second.due, first.n + second.n}
	}
	o.groups = o.groups[:len(o.groups)/2]
	o.grain = max(2, 2*o.grain)
}
