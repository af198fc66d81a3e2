package subscriptions

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Imported is what an import has read and made.
type Imported struct {
	Edges         int64 `json:"edges"`         // that the list has
	Subscriptions int64 `json:"subscriptions"` // in the file
	Repeated      int64 `json:"repeated"`      // edges that were there already
}

// Import makes a new file at path of a list of edges, with undirected in both
// directions of each. It takes some 200 MB of memory however long the list is, and
// beside path some 10 bytes of disk for each edge meanwhile.
func Import(ctx context.Context, path string, edges *Edges, undirected bool) (Imported, error) {
	var done Imported
	err := build(ctx, path, func(b *builder) (err error) {
		done, err = b.importAll(edges, undirected)
		return err
	})
	if err != nil {
		return Imported{}, err
	}
	return done, nil
}

func (b *builder) importAll(edges *Edges, undirected bool) (done Imported, err error) {
	s, err := newSorter(b.folder, runEdges)
	if err != nil {
		return done, err
	}
	defer s.close()
	for edges.Scan() {
		if done.Edges++; done.Edges%(1<<16) == 0 && b.ctx.Err() != nil {
			return done, context.Cause(b.ctx)
		}
		follower, publisher := edges.Edge()
		if err := s.add(follower, publisher); err != nil {
			return done, err
		}
		if !undirected {
			continue
		}
		if err := s.add(publisher, follower); err != nil {
			return done, err
		}
	}
	if err := errors.Join(edges.failure(), s.flush()); err != nil {
		return done, err
	}
	if done.Subscriptions, done.Repeated, err = b.putAll(followersBucket, s.byPublisher); err != nil {
		return done, err
	}
	n, _, err := b.putAll(publishersBucket, s.byFollower)
	if err == nil && n != done.Subscriptions {
		err = fmt.Errorf("sorting lost subscriptions: %d of publishers, %d of followers", done.Subscriptions, n)
	}
	return done, err
}

// sorter takes the edges of a graph in any order and sorts them in both directions.
// It is for one goroutine; a second one sorts what the first has gathered.
type sorter struct {
	byPublisher, byFollower *spill

	edges []edge // key is the publisher
	free  chan []edge
	full  chan []edge
	ended sync.WaitGroup
	// failed is closed when sorting has failed, for err.
	failed chan struct{}
	err    error
}

// newSorter returns a sorter that keeps its files in folder and sorts run edges at
// a time.
func newSorter(folder string, run int) (*sorter, error) {
	publishers, err := newSpill(folder)
	if err != nil {
		return nil, err
	}
	followers, err := newSpill(folder)
	if err != nil {
		publishers.close()
		return nil, err
	}
	s := &sorter{
		byPublisher: publishers, byFollower: followers,
		edges: make([]edge, 0, run), free: make(chan []edge, 1), full: make(chan []edge), failed: make(chan struct{}),
	}
	s.free <- make([]edge, 0, run)
	full := s.full
	s.ended.Go(func() { s.sort(full, make([]edge, run)) })
	return s, nil
}

// add takes an edge.
func (s *sorter) add(follower, publisher int64) error {
	s.edges = append(s.edges, edge{publisher, follower})
	if len(s.edges) < cap(s.edges) {
		return nil
	}
	return s.hand()
}

// hand gives what was gathered to be sorted.
func (s *sorter) hand() error {
	select {
	case s.full <- s.edges:
	case <-s.failed:
		return s.err
	}
	select {
	case s.edges = <-s.free:
	case <-s.failed:
		return s.err
	}
	return nil
}

// flush waits until everything is sorted.
func (s *sorter) flush() error {
	err := s.hand()
	s.end()
	if err == nil {
		err = s.err
	}
	return err
}

// end ends the other goroutine.
func (s *sorter) end() {
	if s.full != nil {
		close(s.full)
		s.full = nil
		s.ended.Wait()
	}
	s.edges = nil
}

func (s *sorter) close() {
	s.end()
	s.byPublisher.close()
	s.byFollower.close()
}

// sort sorts and spills what it is given.
func (s *sorter) sort(full <-chan []edge, scratch []edge) {
	for edges := range full {
		edges, scratch = sortEdges(edges, scratch)
		err := s.byPublisher.add(edges)
		if err == nil {
			for i, e := range edges {
				edges[i] = edge{e.id, e.key}
			}
			edges, scratch = sortEdges(edges, scratch)
			err = s.byFollower.add(edges)
		}
		if err != nil {
			s.err = err
			close(s.failed)
			return
		}
		s.free <- edges[:0]
		scratch = scratch[:cap(scratch)]
	}
}
