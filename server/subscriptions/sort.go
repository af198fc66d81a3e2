package subscriptions

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"os"
)

// edge is one line of a list that is to be made: of key, or an edge of the graph
// as either direction has it.
type edge struct{ key, id int64 }

// runEdges is how many edges are sorted at a time: 32 MiB of them, and as much for
// moving them about.
const runEdges = 2 << 20

// digits are of as many bits that their counts stay in the first cache.
const (
	digitBits = 11
	digitMask = 1<<digitBits - 1
)

// sortEdges sorts by key and then by id, with scratch as long as edges, and returns
// the slice of the two that has the result. It is a radix sort from the lowest
// digit that skips digits which are the same in all.
func sortEdges(edges, scratch []edge) (sorted, other []edge) {
	var ids, keys uint64
	for _, e := range edges {
		ids |= uint64(e.id ^ edges[0].id)
		keys |= uint64(e.key ^ edges[0].key)
	}
	scratch = scratch[:len(edges)]
	for _, byKey := range []bool{false, true} {
		differ := ids
		if byKey {
			differ = keys
		}
		for shift := 0; shift < 64; shift += digitBits {
			if differ>>shift&digitMask != 0 {
				sortDigit(edges, scratch, byKey, shift)
				edges, scratch = scratch, edges
			}
		}
	}
	return edges, scratch
}

// sortDigit moves edges to sorted in the order of one digit.
func sortDigit(edges, sorted []edge, byKey bool, shift int) {
	var at [digitMask + 1]int
	digit := func(e edge) int {
		if byKey {
			return int(uint64(e.key) >> shift & digitMask)
		}
		return int(uint64(e.id) >> shift & digitMask)
	}
	for _, e := range edges {
		at[digit(e)]++
	}
	sum := 0
	for i, n := range at {
		at[i] = sum
		sum += n
	}
	for _, e := range edges {
		d := digit(e)
		sorted[at[d]] = e
		at[d]++
	}
}

// spill keeps sorted runs of edges in a file that has no name, where the system can
// do that.
type spill struct {
	file *os.File
	ends []int64 // where each run ends in it
	out  *bufio.Writer
	size int64
}

func newSpill(folder string) (*spill, error) {
	file, err := os.CreateTemp(folder, ".subscriptions-*")
	if err != nil {
		return nil, err
	}
	_ = os.Remove(file.Name()) // else close does
	return &spill{file: file, out: bufio.NewWriterSize(file, 1<<20)}, nil
}

func (s *spill) close() {
	s.file.Close()
	_ = os.Remove(s.file.Name()) // it has gone already where an open file can go
}

// add appends a sorted run: for each edge, how far its key is from the one before,
// and its id, or the distance to that of the same key.
func (s *spill) add(sorted []edge) error {
	var b [2 * binary.MaxVarintLen64]byte
	last := edge{}
	for _, e := range sorted {
		id := e.id
		if e.key == last.key {
			id -= last.id
		}
		n := binary.PutUvarint(b[:], uint64(e.key-last.key))
		n += binary.PutUvarint(b[n:], uint64(id))
		if _, err := s.out.Write(b[:n]); err != nil {
			return err
		}
		s.size += int64(n)
		last = e
	}
	s.ends = append(s.ends, s.size)
	return nil
}

// run reads one run back.
type run struct {
	in   *bufio.Reader
	last edge
}

// next moves on to the next edge, and reports whether there is one.
func (r *run) next() (more bool, err error) {
	key, err := binary.ReadUvarint(r.in)
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return false, err
	}
	id, err := binary.ReadUvarint(r.in)
	if err != nil {
		return false, err
	}
	if key == 0 {
		id += uint64(r.last.id)
	}
	r.last = edge{r.last.key + int64(key), int64(id)}
	return true, nil
}

// merge calls each with all edges of all runs in order. Equal ones come one after
// the other.
func (s *spill) merge(each func(edge) error) error {
	if err := s.out.Flush(); err != nil {
		return err
	}
	var heap runs
	begin := int64(0)
	for _, end := range s.ends {
		r := &run{in: bufio.NewReaderSize(io.NewSectionReader(s.file, begin, end-begin), 64<<10)}
		begin = end
		more, err := r.next()
		if err != nil {
			return err
		}
		if more {
			heap = append(heap, r)
		}
	}
	for i := len(heap)/2 - 1; i >= 0; i-- {
		heap.down(i)
	}
	for len(heap) > 0 {
		if err := each(heap[0].last); err != nil {
			return err
		}
		more, err := heap[0].next()
		if err != nil {
			return err
		}
		if !more {
			heap[0] = heap[len(heap)-1]
			heap = heap[:len(heap)-1]
		}
		heap.down(0)
	}
	return nil
}

// runs is a heap of runs by their next edge.
type runs []*run

// down moves the run at i down to its place.
func (h runs) down(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(h); child++ {
			if a, b := h[child].last, h[least].last; a.key < b.key || a.key == b.key && a.id < b.id {
				least = child
			}
		}
		if least == i {
			return
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}
