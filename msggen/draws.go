package msggen

import "iter"

// Draws returns the ids that the first n messages of a Generator of c go to, in
// order. c must have the Seed of its Result, and no Users: with them, give FirstID and
// MaxID as their rows, and it is rows that are returned.
func (c Config) Draws(n uint64) iter.Seq[int64] {
	s := newSource(c.withDefaults(), 0)
	return func(yield func(id int64) bool) {
		for n > 0 {
			items := s.draw(n)
			n -= uint64(len(items))
			for _, it := range items {
				if !yield(it.id) {
					return
				}
			}
		}
	}
}
