package subscriptions

import (
	"context"
	"fmt"

	"go.etcd.io/bbolt"
)

// EachFollower calls do with everybody who follows somebody, in ascending order. It
// ends early with ctx.
func (f *File) EachFollower(ctx context.Context, do func(id int64)) error {
	return f.each(ctx, publishersBucket, do)
}

// EachPublisher calls do with everybody who has followers, in ascending order. It
// ends early with ctx.
func (f *File) EachPublisher(ctx context.Context, do func(id int64)) error {
	return f.each(ctx, followersBucket, do)
}

// each goes through the users of one direction.
func (f *File) each(ctx context.Context, bucket []byte, do func(id int64)) error {
	return f.view(func(tx *bbolt.Tx) (err error) {
		for key := range entries(ctx, tx.Bucket(bucket), &err) {
			id, bad := idOf(key)
			if bad != nil {
				return fmt.Errorf("%w: %w", errDamaged, bad)
			}
			do(id)
		}
		return err
	})
}
