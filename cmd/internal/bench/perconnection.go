package bench

import (
	"fmt"

	"example.org/comet/cmd/internal/probe"
	"example.org/comet/cmd/internal/result"
)

// leastPerConnection is the least memory, in bytes, that the growth of a server
// that runs already must be per connection: the leanest one known needs 70, and
// below this only pages that were in use before explain it.
const leastPerConnection = 32

// leastShare is the least share of a server's memory that it must grow by: a
// collector of garbage moves it by more.
const leastShare = 0.01

// The most that the warm-up may leave in a server, as a share of what it then
// grows by: the connections may use that again, which hides it. A fresh server
// keeps what it needs once, too, so with many times the warm-up's connections,
// which then hide little, more is let pass. nchan, which needs 9,600 bytes, was
// seen to grow by 3,800 to 6,900 for each of 300 connections after the 200 of the
// warm-up, and by 9,600 for each of 1,000.
const (
	mostKept     = 0.25
	mostKeptMany = 0.75
	many         = 4 // times the warm-up's connections
)

// perConnection returns the servers' growth per connection from their start to
// idle. It is null, with the reason, for a server that was in use before or keeps
// memory in a pool: its connections then take memory that it had already. Five
// signs show that: it did not grow, it grew by less than any server needs, by next
// to nothing of what it had, its first connections cost less than half of what the
// later ones do, or what they left is large beside what the later ones took. The
// first ones of a fresh server cost it more, since what it needs once comes with
// them. Our own servers are started for the run.
func perConnection(rec *record, p *plan, established result.Figure) (each result.Figure, reason string) {
	grown := rec.idle.Sub(rec.begun).Sum("server", probe.RSS)
	each = grown.Per(established)
	bytes, known := each.Value()
	if !known || p.fresh {
		return each, ""
	}
	const warm = "its memory was in use before, or it keeps memory in a pool. Start it anew to measure it."
	n, _ := established.Value()
	if bytes <= 0 {
		total, _ := grown.Value()
		return result.Figure{}, fmt.Sprintf("Memory per connection is not known: the server's memory changed by %s while %.0f connections came, so %s", result.Of(total).Text(result.UnitBytes), n, warm)
	}
	if bytes < leastPerConnection {
		return result.Figure{}, fmt.Sprintf("Memory per connection is not known: the server grew by %.0f bytes for each of %.0f connections, less than any server needs, so %s", bytes, n, warm)
	}
	begun, _ := rec.begun.Sum("server", probe.RSS).Value()
	if share := bytes * n / begun; share < leastShare {
		return result.Figure{}, fmt.Sprintf("Memory per connection is not known: %.0f connections made the server grow by %.2f %% of what it had, which its other work may do, so %s", n, 100*share, warm)
	}
	first, known := firstConnections(rec)
	if known && first < bytes/2 {
		return result.Figure{}, fmt.Sprintf("Memory per connection is not known: each of the first %d connections made the server grow by %.0f bytes, and each of the %.0f after them by %.0f, so %s",
			rec.warmed, max(first, 0), n, bytes, warm)
	}
	kept, known := rec.begun.Sub(rec.cold).Sum("server", probe.RSS).Value()
	share := mostKept
	if n >= float64(many*rec.warmed) {
		share = mostKeptMany
	}
	if total := bytes * n; known && kept > share*total {
		return result.Figure{}, fmt.Sprintf("Memory per connection is not known: the warm-up's %d connections left %s in the server, which the %.0f after them may have used again; they made it grow by %s. Measure with more connections.",
			rec.warmed, result.Of(kept).Text(result.UnitBytes), n, result.Of(total).Text(result.UnitBytes))
	}
	return each, ""
}

// firstConnections returns by how many bytes each connection of the warm-up made
// the servers grow, the most that was seen.
func firstConnections(rec *record) (float64, bool) {
	cold, known := rec.cold.Sum("server", probe.RSS).Value()
	if !known || rec.warmed == 0 {
		return 0, false
	}
	full, known := result.Most(rec.warm.Sum("server", probe.RSS), rec.begun.Sum("server", probe.RSS)).Value()
	return (full - cold) / float64(rec.warmed), known
}

// perConnectionAfterGC returns what afterGC is per connection. It is null if the
// collection freed more than the connections had brought, as with few of them.
func perConnectionAfterGC(rec *record, established result.Figure) result.Figure {
	grown := afterGC(rec)
	if bytes, known := grown.Value(); known && bytes < 0 {
		return result.Figure{}
	}
	return grown.Per(established)
}
