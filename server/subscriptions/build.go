package subscriptions

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"go.etcd.io/bbolt"
)

// build makes a new file of what fill puts into it. It takes its name when it is
// whole and on the disk; until then, and if anything fails, there is none.
func build(ctx context.Context, path string, fill func(*builder) error) (err error) {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		if err != nil {
			return fmt.Errorf("subscriptions: cannot make %s: %w", path, err)
		}
		return fmt.Errorf("subscriptions: %s: %w: remove it, or choose another name", path, fs.ErrExist)
	}
	if err := checkFolder(path); err != nil {
		return fmt.Errorf("subscriptions: cannot make %s: %w", path, err)
	}
	folder := filepath.Dir(path)
	temporary, err := os.CreateTemp(folder, filepath.Base(path)+".new-*")
	if err != nil {
		return fmt.Errorf("subscriptions: cannot make %s: %w", path, err)
	}
	temporary.Close()
	defer os.Remove(temporary.Name()) // fails once it is renamed
	b, err := newBuilder(ctx, temporary.Name(), folder)
	if err != nil {
		return fmt.Errorf("subscriptions: cannot make %s: %w", path, err)
	}
	err = guarded(func() error { return fill(b) })
	if err = errors.Join(err, b.finish(err == nil)); err != nil {
		return fmt.Errorf("subscriptions: cannot make %s: %w", path, err)
	}
	if err := os.Chmod(temporary.Name(), 0o644); err != nil {
		return fmt.Errorf("subscriptions: cannot make %s: %w", path, err)
	}
	if err := claim(temporary.Name(), path); err != nil {
		return fmt.Errorf("subscriptions: cannot make %s: %w", path, err)
	}
	return syncFolder(folder)
}

// errTaken is the error of a file that was not there when build began, and is now.
var errTaken = errors.New("somebody else has made it meanwhile: remove it, or choose another name")

// claim gives the file at temporary the name path. A file that has taken that name
// meanwhile stays: a server may have noted changes in it.
func claim(temporary, path string) error {
	err := os.Link(temporary, path)
	if err == nil {
		return os.Remove(temporary)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return errTaken
	}
	return os.Rename(temporary, path) // there are no hard links here
}

// syncFolder makes the new name in folder durable, where that can be asked for.
func syncFolder(folder string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(folder)
	if err != nil {
		return fmt.Errorf("subscriptions: %w", err)
	}
	defer f.Close()
	return f.Sync()
}

// builder writes the lists of a new file, each bucket in the order of its keys.
type builder struct {
	ctx    context.Context //nolint:containedctx // it lasts for one call of build
	db     *bbolt.DB
	folder string // of files that are needed meanwhile

	tx      *bbolt.Tx
	bucket  *bbolt.Bucket
	name    []byte
	pending int    // bytes that wait for the next commit
	arena   []byte // lists are cut from it, since bbolt keeps them until the commit
}

// How many bytes a transaction writes, and how many lists are cut from one piece.
const (
	commitBytes = 16 << 20
	arenaBytes  = 1 << 20
)

func newBuilder(ctx context.Context, path, folder string) (*builder, error) {
	db, err := bbolt.Open(path, 0o644, &bbolt.Options{
		Timeout: lockTimeout, FreelistType: bbolt.FreelistMapType,
		// Nobody relies on the file before finish has synced it.
		NoSync: true, NoGrowSync: true,
	})
	if err != nil {
		return nil, err
	}
	if err := db.Update(initialize); err != nil {
		db.Close()
		return nil, err
	}
	return &builder{ctx: ctx, db: db, folder: folder}, nil
}

// finish closes the file, after it has been brought to the disk if it is whole.
func (b *builder) finish(whole bool) error {
	var err error
	if whole {
		err = errors.Join(b.commit(), b.db.Sync())
	} else if b.tx != nil {
		err = b.tx.Rollback()
	}
	return errors.Join(err, b.db.Close())
}

// put writes the list of key into a bucket.
func (b *builder) put(bucket []byte, key int64, ids []int64) error {
	if b.tx == nil || b.pending > commitBytes || string(b.name) != string(bucket) {
		if err := b.next(bucket); err != nil {
			return err
		}
	}
	if cap(b.arena)-len(b.arena) < 10*(len(ids)+1) {
		b.arena = make([]byte, 0, max(arenaBytes, 10*(len(ids)+1)))
	}
	start := len(b.arena)
	b.arena = appendList(b.arena, ids)
	list := b.arena[start:len(b.arena):len(b.arena)]
	b.pending += len(list)
	return b.bucket.Put(keyOf(key), list)
}

// next begins another transaction.
func (b *builder) next(bucket []byte) (err error) {
	if err := b.ctx.Err(); err != nil {
		return context.Cause(b.ctx)
	}
	if err := b.commit(); err != nil {
		return err
	}
	if b.tx, err = b.db.Begin(true); err != nil {
		return err
	}
	b.bucket, b.name = b.tx.Bucket(bucket), bucket
	b.bucket.FillPercent = 1 // keys come in order
	return nil
}

func (b *builder) commit() error {
	if b.tx == nil {
		return nil
	}
	err := b.tx.Commit()
	b.tx, b.pending = nil, 0
	return err
}

// putAll writes the edges of a spill into a bucket. It returns how many they are,
// each counted once, and how many more there were.
func (b *builder) putAll(bucket []byte, edges *spill) (n, repeated int64, err error) {
	var ids []int64
	key := int64(-1)
	err = edges.merge(func(e edge) error {
		if e.key != key {
			if len(ids) > 0 {
				if err := b.put(bucket, key, ids); err != nil {
					return err
				}
			}
			key, ids = e.key, ids[:0]
		} else if ids[len(ids)-1] == e.id {
			repeated++
			return nil
		}
		n++
		ids = append(ids, e.id)
		return nil
	})
	if err == nil && len(ids) > 0 {
		err = b.put(bucket, key, ids)
	}
	return n, repeated, err
}
