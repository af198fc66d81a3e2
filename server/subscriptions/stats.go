package subscriptions

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"

	"go.etcd.io/bbolt"
)

// Stats describes a graph.
type Stats struct {
	Users         int64 `json:"users"` // who follow or are followed
	Subscriptions int64 `json:"subscriptions"`
	// Followers is how many followers publishers have, and Publishers how many
	// publishers followers have.
	Followers  Degrees `json:"followers"`
	Publishers Degrees `json:"publishers"`
}

// Degrees describes one direction, over the users that have any.
type Degrees struct {
	Users   int64   `json:"users"`
	Mean    float64 `json:"mean"`
	Median  int64   `json:"median"`
	P99     int64   `json:"p99"`
	Largest int64   `json:"largest"`
	Of      int64   `json:"of"` // the first user with the largest number
}

// Stats reads the whole file, and fails if its lists do not fit together.
func (f *File) Stats(ctx context.Context) (Stats, error) {
	var s Stats
	err := f.view(func(tx *bbolt.Tx) (err error) {
		var followed, follow int64
		if s.Followers, followed, err = degreesOf(ctx, tx.Bucket(followersBucket)); err != nil {
			return err
		}
		if s.Publishers, follow, err = degreesOf(ctx, tx.Bucket(publishersBucket)); err != nil {
			return err
		}
		if followed != follow {
			return fmt.Errorf("%w: %d subscriptions of publishers and %d of followers", errDamaged, followed, follow)
		}
		s.Subscriptions = followed
		s.Users, err = countUsers(ctx, tx)
		return err
	})
	return s, err
}

// checkEvery is after how many keys a long reading looks whether it is to end.
const checkEvery = 4096

// degreesOf goes through one direction.
func degreesOf(ctx context.Context, bucket *bbolt.Bucket) (d Degrees, sum int64, err error) {
	users := make(map[int64]int64) // by their number
	for key, list := range entries(ctx, bucket, &err) {
		n, bad := checkList(list)
		if bad != nil {
			return d, 0, bad
		}
		id, bad := idOf(key)
		if bad != nil {
			return d, 0, fmt.Errorf("%w: %w", errDamaged, bad)
		}
		if int64(n) > d.Largest {
			d.Largest, d.Of = int64(n), id
		}
		users[int64(n)]++
		d.Users++
		sum += int64(n)
	}
	if d.Users > 0 {
		d.Mean = float64(sum) / float64(d.Users)
		d.Median, d.P99 = quantile(users, d.Users, 50), quantile(users, d.Users, 99)
	}
	return d, sum, err
}

// quantile returns the least number that so many percent of all have at most.
func quantile(users map[int64]int64, all int64, percent int64) int64 {
	below := int64(0)
	for _, n := range slices.Sorted(maps.Keys(users)) {
		if below += users[n]; below*100 >= all*percent {
			return n
		}
	}
	return 0
}

// entries returns the keys and lists of a bucket in order. It ends with ctx, with
// the reason in err.
func entries(ctx context.Context, bucket *bbolt.Bucket, err *error) func(yield func(key, list []byte) bool) {
	return func(yield func(key, list []byte) bool) {
		c := bucket.Cursor()
		n := 0
		for key, list := c.First(); key != nil; key, list = c.Next() {
			if n++; n%checkEvery == 0 && ctx.Err() != nil {
				*err = context.Cause(ctx)
				return
			}
			if !yield(key, list) {
				return
			}
		}
	}
}

// countUsers counts the keys that are in one of the two directions or in both.
func countUsers(ctx context.Context, tx *bbolt.Tx) (n int64, err error) {
	other := tx.Bucket(publishersBucket).Cursor()
	next, _ := other.First()
	for key := range entries(ctx, tx.Bucket(followersBucket), &err) {
		for next != nil && string(next) < string(key) {
			n++
			next, _ = other.Next()
		}
		if next != nil && string(next) == string(key) {
			next, _ = other.Next()
		}
		n++
	}
	for ; next != nil && err == nil; next, _ = other.Next() {
		n++
	}
	return n, err
}

// Export writes the graph as a list of edges that [Import] reads, in the order of
// followers and then of publishers.
func (f *File) Export(ctx context.Context, w io.Writer) error {
	out := bufio.NewWriterSize(w, 64<<10)
	var line []byte
	var failed error
	err := f.view(func(tx *bbolt.Tx) (err error) {
		for key, list := range entries(ctx, tx.Bucket(publishersBucket), &err) {
			follower, bad := idOf(key)
			if _, listBad := checkList(list); bad != nil || listBad != nil {
				return fmt.Errorf("%w: %w", errDamaged, errors.Join(bad, listBad))
			}
			for publisher := range idsOf(list) {
				line = strconv.AppendInt(line[:0], follower, 10)
				line = append(line, '\t')
				line = append(strconv.AppendInt(line, publisher, 10), '\n')
				if _, failed = out.Write(line); failed != nil {
					return nil
				}
			}
		}
		return err
	})
	if err == nil && failed == nil {
		failed = out.Flush()
	}
	if failed != nil { // of w, not of the file
		return failed
	}
	return err
}
