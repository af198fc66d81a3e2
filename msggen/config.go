package msggen

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"time"

	"example.org/comet/flood/pace"
	"example.org/comet/flood/users"
	"example.org/comet/server/wire"
)

const (
	// DefaultInterval is between two messages of one sender, as in the article.
	DefaultInterval = 100 * time.Millisecond
	// DefaultWindow is how many messages may be in flight without a pace.
	DefaultWindow = 50_000

	// maxIDs bounds the table of counts, 8 bytes for each id: 8 GiB, or 1 GiB where an
	// address has 32 bits.
	maxIDs = min(1<<30, math.MaxInt>>4+1)
	// maxSenders bounds the table of random streams: 16 bytes for each.
	maxSenders = 1 << 26
	// maxSize bounds one message.
	maxSize = 1 << 20
)

// Config says what is generated. Only MaxID and one of To and Sender must be
// set.
type Config struct {
	// To is where messages are posted: http://host:port/send of a comet
	// server's admin listener. A URL without a path means /send.
	To string
	// Token is sent to To as a bearer token unless empty.
	Token string
	// TLS is for a To of https; nil means the authorities of the system.
	TLS *tls.Config
	// Events makes the messages events of publishers: each goes from its id to all
	// of its followers, as the server To knows them.
	Events bool
	// Sender takes the messages instead of To. Run closes it.
	Sender Sender

	// Senders is how many the messages come from, each with random numbers and
	// a count of its own. 0 means 1.
	Senders int
	// Interval is between two messages of one sender; the senders start evenly
	// spread over the first one. 0 means DefaultInterval.
	Interval time.Duration
	// Rate, if set, is messages per second of all senders together, and Interval
	// must be 0.
	Rate float64
	// Max sends as fast as the Window allows; Interval and Rate must be 0. The
	// stamps then hold when a message was handed to the socket, and there is no
	// lateness.
	Max bool
	// Window is how many messages may be in flight with Max: with Delivered,
	// those that were queued to a connection and not delivered; without it,
	// those that the server has not answered for. 0 means DefaultWindow; there is
	// always one, as what waits is kept in memory.
	Window int
	// Reach is how many connections each message is for, and 0 means 1. Window then
	// bounds the deliveries that are in flight, and Delivered counts them.
	Reach int
	// Delivered reports how many messages of this generator need no longer be
	// waited for, because they were delivered or dropped; it must be safe and
	// cheap to call at any time. It is only used with Max. When the window is
	// full and this has not moved for two seconds, what is in flight is given
	// up as lost (Stats.WrittenOff), so that a loss cannot end the load.
	Delivered func() uint64

	// Arrivals says how the messages lie in time. The zero value is evenly.
	Arrivals Arrivals
	// FirstID and MaxID bound the ids, both inclusive. FirstID 0 means 1. Each id
	// costs 8 bytes of memory.
	FirstID, MaxID int64
	// Users, if not nil, are who gets messages. If they have a column id, messages
	// are drawn for rows: FirstID and MaxID are the first and the last one, from 1,
	// and each stamp carries the id of its row. A [PublishSender] with the same
	// Users is given the row, any other Sender its id, which must be a whole number.
	// A MaxID of 0 means all rows.
	Users *users.Table
	// Distribution says how likely each id is. The zero value is equally.
	Distribution Distribution
	// Size says how long the messages are. The zero value fills nothing up.
	Size Size
	// Seed starts all random streams: the same seed, Senders, ids and
	// Distribution give the same sequence of ids. 0 picks one; Result.Seed says
	// which.
	Seed uint64

	// Run is the word that all stamps of this run carry, by which a flood knows
	// them. 0 picks one at random; Result.Run says which.
	Run wire.Run

	// Alone is for a process that does nothing else: a paced Run then keeps one of
	// Go's processors while it waits, and shares the others (GOMAXPROCS) with what its
	// Sender does. That halves what a message costs.
	Alone bool

	// Count ends the run after this many messages of each sender. 0: unlimited.
	Count uint64
	// Duration ends the run before the first message that is due then or later.
	// 0: unlimited.
	Duration time.Duration

	// numbers are the ids of Users for a sender that takes whole numbers.
	numbers []int64

	// Logger gets a line when the server goes and when it comes back. nil discards
	// them.
	Logger *slog.Logger
}

// Validate reports everything that is wrong with c, in one error.
func (c Config) Validate() error {
	var wrong []error
	refuse := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	c = c.withDefaults()
	switch {
	case c.Sender == nil && c.To == "":
		refuse("To is empty: name a server's /send")
	case c.Sender == nil:
		if _, err := parseURL(c.To); err != nil {
			refuse("To: %w", err)
		}
	}
	if c.Sender != nil && c.Events {
		refuse("Events go to To: no Sender takes them")
	}
	if c.Senders < 1 || c.Senders > maxSenders {
		refuse("Senders is %d: it must be from 1 to %d", c.Senders, maxSenders)
	}
	switch {
	case c.Interval < 0:
		refuse("Interval is %v: it must be above 0", c.Interval)
	case c.Interval > 0 && (c.Rate != 0 || c.Max):
		refuse("Interval is %v, and Rate or Max is set too: choose one", c.Interval)
	}
	if pacer, err := c.pacer(); err != nil {
		refuse("Rate is %v: it must be above 0, in messages per second", c.Rate)
	} else if _, err := c.Arrivals.moments(pacer, nil); err != nil {
		refuse("Arrivals: %w", err)
	}
	if c.Max && c.Rate != 0 {
		refuse("Rate is %v and Max is set: choose one", c.Rate)
	}
	if c.Reach < 1 {
		refuse("Reach is %d: it must be above 0", c.Reach)
	}
	if c.Window < 1 {
		refuse("Window is %d: it must be above 0", c.Window)
	}
	c.checkIDs(refuse)
	if err := c.Distribution.validate(); err != nil {
		refuse("Distribution: %w", err)
	}
	if err := c.Size.validate(); err != nil {
		refuse("Size: %w", err)
	}
	if c.Duration < 0 {
		refuse("Duration is %v: it must not be negative", c.Duration)
	}
	if len(wrong) > 0 {
		return fmt.Errorf("msggen: %w", errors.Join(wrong...))
	}
	return nil
}

// checkIDs refuses ids that cannot be.
func (c *Config) checkIDs(refuse func(format string, args ...any)) {
	if c.FirstID < 0 {
		refuse("FirstID is %d: an id is a whole number from 0", c.FirstID)
	}
	switch {
	case c.MaxID < 1:
		refuse("MaxID is %d: it must be above 0", c.MaxID)
	case c.Users.HasID() && c.MaxID > int64(c.Users.Len()):
		refuse("MaxID is %d: it is a row of %s, which has %d", c.MaxID, c.Users.Name(), c.Users.Len())
	case c.FirstID > c.MaxID:
		refuse("FirstID is %d, above MaxID, which is %d", c.FirstID, c.MaxID)
	case c.FirstID >= 0 && c.MaxID-c.FirstID >= maxIDs:
		refuse("MaxID is %d: more than %d ids would cost over %d GiB for their counts", c.MaxID, maxIDs, maxIDs*8>>30)
	}
	if _, err := c.numbersOf(); err != nil {
		refuse("Users: %w", err)
	}
}

// withDefaults replaces zero values by what they stand for.
func (c Config) withDefaults() Config {
	if c.Senders == 0 {
		c.Senders = 1
	}
	if c.Reach == 0 {
		c.Reach = 1
	}
	if c.Window == 0 {
		c.Window = DefaultWindow
	}
	if c.FirstID == 0 {
		c.FirstID = 1
	}
	if c.MaxID == 0 && c.Users != nil {
		c.MaxID = int64(c.Users.Len())
	}
	if c.Seed == 0 {
		// Below 2^53, so that a seed survives readers who hold every JSON number
		// as a float64.
		c.Seed = 1 + rand.Uint64N(1<<53-1)
	}
	for c.Run == 0 {
		// Not from the seed: a receiver must tell two runs apart, of one seed too.
		c.Run = wire.Run(rand.Uint32())
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// numbersOf returns the ids of Users for a sender that takes whole numbers, nil if
// there are none or the sender takes rows.
func (c *Config) numbersOf() ([]int64, error) {
	if !c.Users.HasID() {
		return nil, nil
	}
	if p, ok := c.Sender.(*PublishSender); ok && p.config.Users == c.Users {
		return nil, nil
	}
	numbers, err := c.Users.Numbers()
	if err != nil {
		return nil, fmt.Errorf("a comet server and its routers take whole numbers only: %w; publish to another server's endpoint, or leave the column out", err)
	}
	return numbers, nil
}

// pacer paces all senders together: message k of sender i of S is due at
// (k + i/S) * Interval, which is event k*S+i of S events in each Interval.
func (c Config) pacer() (pace.Pacer, error) {
	switch {
	case c.Max:
		return pace.Max, nil
	case c.Rate != 0:
		return pace.PerSecond(c.Rate)
	case c.Interval > 0:
		return pace.Pacer{Events: uint64(c.Senders), Per: c.Interval}, nil
	}
	return pace.Pacer{Events: uint64(c.Senders), Per: DefaultInterval}, nil
}

// total returns how many messages all senders generate until the planned end, or
// the highest uint64 if the clock decides or there is none.
func (c Config) total() uint64 {
	if c.Count > 0 && c.Count <= math.MaxUint64/uint64(c.Senders) {
		return c.Count * uint64(c.Senders)
	}
	return math.MaxUint64
}
