package router

// DropReason is why a server discarded a message that was addressed to a
// connection.
type DropReason uint8

// The reasons. A new one is added here, in its label and in Drops; /stats,
// /metrics, the reports between servers and the sums follow.
const (
	// DropClosed: the connection had gone.
	DropClosed DropReason = iota
	// DropSlow: the connection's backlog was full, or that of its owner, of messages to
	// many.
	DropSlow
	// DropOverrun: the inbox of the connection's owner was full. Such a message is
	// not routed.
	DropOverrun

	// DropReasons is how many there are.
	DropReasons
)

// String returns the label of the reason.
func (r DropReason) String() string { return [...]string{"closed", "slow", "overrun"}[r] }

// Drops counts discarded messages by reason, once per connection.
type Drops struct {
	DroppedClosed  uint64 `json:"dropped_closed"`
	DroppedSlow    uint64 `json:"dropped_slow"`
	DroppedOverrun uint64 `json:"dropped_overrun"`
}

// By returns the count of one reason.
func (d *Drops) By(r DropReason) *uint64 {
	return [...]*uint64{&d.DroppedClosed, &d.DroppedSlow, &d.DroppedOverrun}[r]
}

// Dropped returns the sum over all reasons.
func (d *Drops) Dropped() (sum uint64) {
	for r := range DropReasons {
		sum += *d.By(r)
	}
	return sum
}

// Add adds the counts of others.
func (d *Drops) Add(others Drops) {
	for r := range DropReasons {
		*d.By(r) += *others.By(r)
	}
}
