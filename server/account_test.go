package server

import (
	"context"
	"testing"

	"example.org/comet/server/router"
)

// tallyInbox is an owner of connections that takes as many messages as it has
// room for.
type tallyInbox struct{ room, taken, refused int }

func (in *tallyInbox) Deliver(router.Conn, []byte) bool {
	if in.taken == in.room {
		in.refused++
		return false
	}
	in.taken++
	return true
}
func (*tallyInbox) Wake()                      {}
func (*tallyInbox) Wait(context.Context) error { return nil }

// TestAccount: each message to the admin listener counts once. One whose
// connections' owners are all behind is dropped, not unaddressed.
func TestAccount(t *testing.T) {
	for _, c := range []struct {
		name                          string
		rooms                         []int // of the owners, each with a connection as 1
		sent, routed, dropped, nobody int
	}{
		{"nobody", nil, 3, 0, 0, 3},
		{"room for all", []int{9}, 3, 3, 0, 0},
		{"no room", []int{0}, 3, 0, 3, 0},
		{"room for some", []int{2}, 3, 2, 1, 0},
		{"two owners, one with room", []int{9, 0}, 3, 3, 3, 0},
		{"two owners without", []int{0, 0}, 3, 0, 6, 0},
	} {
		s := &core{}
		var owners []*tallyInbox
		for _, room := range c.rooms {
			in := &tallyInbox{room: room}
			s.router.Join(in).Login(router.Conn{Slot: 1}, 1)
			owners = append(owners, in)
		}
		p := newPublisher(s)
		for range c.sent {
			p.send(1, []byte("m"))
		}
		if err := p.flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		dropped := 0
		for _, in := range owners {
			dropped += in.refused
		}
		if p.Sent != uint64(c.sent) || p.Reached != uint64(c.routed) || dropped != c.dropped || p.Unaddressed != uint64(c.nobody) {
			t.Errorf("%s: sent %d, reached %d, dropped %d, unaddressed %d; want %d, %d, %d, %d", c.name, p.Sent, p.Reached, dropped, p.Unaddressed, c.sent, c.routed, c.dropped, c.nobody)
		}
		if s.sent.Load() != p.Sent || s.routed.Load() != p.Reached || s.unaddressed.Load() != p.Unaddressed {
			t.Errorf("%s: the server counts %d, %d, %d", c.name, s.sent.Load(), s.routed.Load(), s.unaddressed.Load())
		}
	}
}
