package server

import (
	"net/netip"
	"sync"
)

// addressLimit counts the streams of each client address. It is one table for
// all loops, since the kernel hands an address's connections to any of them. A
// connection costs its place, four bytes; an address costs a row and an entry in
// the map, some 70 bytes.
//
// A nil addressLimit limits nothing. Its methods are safe for concurrent use.
type addressLimit struct {
	most uint32

	mu     sync.Mutex
	places map[[16]byte]place
	rows   []addressRow // row 0 is not used
	free   place        // the first free row, chained by open; 0 is none
}

// place is the row of an address that a stream counts in, and 0 is none. It is
// kept with the connection because the address itself cannot be asked for at
// the end: after a reset getpeername(2) fails.
type place uint32

type addressRow struct {
	address [16]byte
	open    uint32
}

// newAddressLimit allows most streams to each address, or any number where most
// is 0.
func newAddressLimit(most int) *addressLimit {
	if most == 0 {
		return nil
	}
	return &addressLimit{most: uint32(most)}
}

// take counts a stream in, unless its address has as many as it may. An IPv4
// address counts the same however it is written.
func (a *addressLimit) take(address netip.Addr) (place, bool) {
	if a == nil {
		return 0, true
	}
	key := address.As16()
	a.mu.Lock()
	defer a.mu.Unlock()
	p, known := a.places[key]
	if !known {
		p = a.add(key)
	}
	row := &a.rows[p]
	if row.open == a.most {
		return 0, false
	}
	row.open++
	return p, true
}

// add makes a row for an address. The caller holds mu.
func (a *addressLimit) add(key [16]byte) place {
	if a.places == nil {
		a.places = make(map[[16]byte]place)
		a.rows = make([]addressRow, 1)
	}
	p := a.free
	if p != 0 {
		a.free = place(a.rows[p].open)
		a.rows[p].open = 0
	} else {
		p = place(len(a.rows))
		a.rows = append(a.rows, addressRow{})
	}
	a.rows[p].address = key
	a.places[key] = p
	return p
}

// leave counts a stream out of its place.
func (a *addressLimit) leave(p place) {
	if a == nil || p == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	row := &a.rows[p]
	if row.open--; row.open > 0 {
		return
	}
	delete(a.places, row.address)
	if len(a.places) == 0 {
		a.places, a.rows, a.free = nil, nil, 0 // a map does not shrink by itself
		return
	}
	row.open, a.free = uint32(a.free), p
}
