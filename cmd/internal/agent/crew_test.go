package agent

import (
	"strings"
	"testing"

	"example.org/comet/cmd/internal/flags"
)

func TestChoose(t *testing.T) {
	here := func(names ...string) map[string]Announcement {
		found := make(map[string]Announcement)
		for i, name := range names {
			name, busy, _ := strings.Cut(name, " busy with ")
			found[string(rune('a'+i))] = Announcement{Protocol: Protocol, Name: name, Instance: string(rune('a' + i)), Busy: busy}
		}
		return found
	}
	for _, c := range []struct {
		name  string
		found map[string]Announcement
		want  flags.Agents
		who   string
	}{
		{"as many", here("b", "a"), flags.Agents{Count: 2}, "a b"},
		{"more than are wanted", here("c", "b", "a"), flags.Agents{Count: 2}, "a b"},
		{"a busy one is left out", here("a busy with X", "b"), flags.Agents{Count: 1}, "b"},
		{"too few", here("a"), flags.Agents{Count: 2}, "1 of 2 agents answered within 5s (a)"},
		{"none", here(), flags.Agents{Count: 2}, "no agent answered within 5s, and 2 are wanted"},
		{"too few that are not busy", here("a busy with X", "b"), flags.Agents{Count: 2}, "1 of the 2 agents that answered can work (b), and 2 are wanted: agent a is busy with the load of X"},
		{"by name, in that order", here("a", "b", "c"), flags.Agents{Names: []string{"c", "a"}}, "c a"},
		{"one is missing", here("a", "b"), flags.Agents{Names: []string{"c", "a"}}, "agent c did not answer within 5s; those who did are (a, b)"},
		{"all are missing", here(), flags.Agents{Names: []string{"c"}}, "agent c did not answer within 5s; no agent did"},
		{"a busy one by name", here("a busy with X"), flags.Agents{Names: []string{"a"}}, "agent a is busy with the load of X"},
		{"two of one name", here("a", "a"), flags.Agents{Count: 2}, "two agents are called a: give each a --name of its own"},
		{"two of one name by name", here("b", "a", "a"), flags.Agents{Names: []string{"b", "a"}}, "two agents are called a: give each a --name of its own"},
		{"two others of one name by name", here("a", "c", "c", "b"), flags.Agents{Names: []string{"a", "b"}}, "a b"},
		{"two others of one name", here("c", "b", "a", "c"), flags.Agents{Count: 2}, "a b"},
	} {
		chosen, err := choose(c.found, c.want)
		var who []string
		for _, one := range chosen {
			who = append(who, one.Name)
		}
		got := strings.Join(who, " ")
		if err != nil {
			got = err.Error()
		}
		if got != c.who && (err == nil || !strings.HasPrefix(got, c.who+": wait")) {
			t.Errorf("%s: %s, want %s", c.name, got, c.who)
		}
	}
}
