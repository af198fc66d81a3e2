package subscriptions

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// File is an open file of who follows whom. Its methods are safe for concurrent
// use.
type File struct {
	db   *bbolt.DB
	path string
	file *os.File // that db has open
	// bounds are those of the journal.
	bounds bounds

	// mu guards waiting: changes that the next commit takes along.
	mu      sync.Mutex
	waiting []*change
	// committing is held by who commits.
	committing sync.Mutex
	// broken is why no change can be made any more: bbolt panicked in one, and may
	// hold its locks for good. It is guarded by committing.
	broken error
	// origin is what the changes that are made here are noted under: it lasts as
	// long as the file is open, since a copy of the file may be in use elsewhere. 0
	// before the first one; guarded by committing.
	origin uint64
	own    atomic.Pointer[Head] // the last of those changes
}

// ErrReadOnly is the error of a change to a file that was opened read-only.
var ErrReadOnly = errors.New("the file of subscriptions is open for reading only")

// What the file holds: a bucket for each direction, one that names the form, and the
// journal of changes.
var (
	followersBucket  = []byte("followers of publisher")
	publishersBucket = []byte("publishers of follower")
	formBucket       = []byte("comet")
	formKey          = []byte("form")
	form             = []byte("subscriptions 1")
)

// lockTimeout is how long opening waits for another process to close the file:
// long enough for one that is about to.
const lockTimeout = time.Second

// Open opens the file at path for reading and changing, and makes an empty one
// if there is none. No other process can have it open at the same time.
func Open(path string) (*File, error) {
	info, err := os.Stat(path)
	if err == nil && info.Size() > 0 {
		// Opening it to write may change it already: see whose it is before.
		f, err := OpenReadOnly(path)
		if err != nil {
			return nil, err
		}
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
	return open(path, func(*bbolt.Options) {}, func(db *bbolt.DB) error {
		return db.Update(func(tx *bbolt.Tx) error {
			if err := initialize(tx); err != nil {
				return err
			}
			return makeJournal(tx)
		})
	})
}

// OpenReadOnly opens the file at path for reading. Other processes may read it
// at the same time.
func OpenReadOnly(path string) (*File, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("subscriptions: %w", openError(path, err))
	case info.Size() == 0 && info.Mode().IsRegular():
		return nil, fmt.Errorf("subscriptions: %s is empty: make it with comet subscriptions import or generate", path)
	}
	return open(path, func(o *bbolt.Options) { o.ReadOnly = true }, func(db *bbolt.DB) error { return db.View(checkForm) })
}

func open(path string, set func(*bbolt.Options), first func(*bbolt.DB) error) (*File, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("subscriptions: %s is not a file", path)
	}
	var db *bbolt.DB
	var opened *os.File
	options := bbolt.Options{
		Timeout: lockTimeout, FreelistType: bbolt.FreelistMapType,
		OpenFile: func(name string, flag int, mode os.FileMode) (f *os.File, err error) {
			opened, err = os.OpenFile(name, flag, mode)
			return opened, err
		},
	}
	set(&options)
	err := guarded(func() (err error) {
		if db, err = bbolt.Open(path, 0o644, &options); err != nil {
			return openedShort(opened != nil, path, err)
		}
		if err := checkWhole(db); err != nil {
			return err
		}
		return first(db)
	})
	if err == nil {
		return &File{db: db, path: path, file: opened, bounds: journalBounds}, nil
	}
	switch {
	case errors.Is(err, errPanic) && opened != nil:
		_ = abandon(opened)
	case db != nil:
		db.Close()
	}
	return nil, fmt.Errorf("subscriptions: %w", openError(path, err))
}

// openedShort returns why bbolt could not open a file. It has no error of its own for
// one that ends within its first two pages.
func openedShort(opened bool, path string, err error) error {
	if !opened || errors.Is(err, berrors.ErrTimeout) || errors.Is(err, berrors.ErrInvalid) {
		return err
	}
	if info, statErr := os.Stat(path); statErr == nil && info.Size() < int64(2*os.Getpagesize()) {
		return fmt.Errorf("%w: it has only %d bytes", errDamaged, info.Size())
	}
	return err
}

// openError returns why the file cannot be opened, and what to do.
func openError(path string, err error) error {
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return fmt.Errorf("another process has %s open: end it, or use a file of your own; several can share one only if all of them open it read-only", path)
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrVersionMismatch), errors.Is(err, errForm):
		return fmt.Errorf("%s is not a file of subscriptions: make one with comet subscriptions import or generate", path)
	case errors.Is(err, berrors.ErrChecksum), errors.Is(err, errDamaged), errors.Is(err, errList):
		return damaged(path, err)
	case errors.Is(err, fs.ErrNotExist):
		if err := checkFolder(path); err != nil {
			return fmt.Errorf("cannot open the file of subscriptions %s: %w", path, err)
		}
		return fmt.Errorf("there is no %s: make it with comet subscriptions import or generate", path)
	}
	return fmt.Errorf("cannot open the file of subscriptions %s: %w", path, err)
}

// checkFolder returns an error if the folder of a file is not there.
func checkFolder(path string) error {
	folder := filepath.Dir(path)
	if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no folder %s: make it first", folder)
	}
	return nil
}

func damaged(path string, err error) error {
	return fmt.Errorf("%s is damaged (%w): make it anew with comet subscriptions import or generate", path, err)
}

// errForm is the error of a bbolt file that somebody else made.
var errForm = errors.New("it has another form")

// errDamaged is the error of what cannot be in a whole file.
var errDamaged = errors.New("its pages do not fit together")

// abandon closes a file whose bbolt cannot be used any more, not even to close
// it. What it has mapped lasts as long as the process.
func abandon(file *os.File) error {
	unlock(file)
	return file.Close()
}

// errPanic marks an error that was a panic.
var errPanic = errors.New("")

// guarded runs do and turns the panics of bbolt, and the faults of reading a
// mapped file that is cut short, into errors.
func guarded(do func() error) (err error) {
	before := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(before)
		if p := recover(); p != nil {
			err = fmt.Errorf("%w%w: %v", errDamaged, errPanic, p)
		}
	}()
	return do()
}

// checkWhole returns an error if pages in use lie behind the end of the file.
func checkWhole(db *bbolt.DB) error {
	return db.View(func(tx *bbolt.Tx) error {
		info, err := os.Stat(db.Path())
		if err == nil && info.Size() < tx.Size() {
			return fmt.Errorf("%w: it has %d bytes of %d", errDamaged, info.Size(), tx.Size())
		}
		return err
	})
}

// initialize makes the buckets of a file that has none.
func initialize(tx *bbolt.Tx) error {
	if name, _ := tx.Cursor().First(); name != nil {
		return checkForm(tx)
	}
	for _, name := range [][]byte{followersBucket, publishersBucket} {
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	b, err := tx.CreateBucket(formBucket)
	if err != nil {
		return err
	}
	return b.Put(formKey, form)
}

// checkForm returns an error unless the file is one of ours.
func checkForm(tx *bbolt.Tx) error {
	b := tx.Bucket(formBucket)
	if b == nil || !bytes.Equal(b.Get(formKey), form) || tx.Bucket(followersBucket) == nil || tx.Bucket(publishersBucket) == nil {
		return errForm
	}
	return nil
}

// Close closes the file. It waits for reading that is under way.
func (f *File) Close() error {
	f.committing.Lock()
	defer f.committing.Unlock()
	end := f.db.Close
	if f.broken != nil {
		end = func() error { return abandon(f.file) }
	}
	if err := guarded(end); err != nil {
		return fmt.Errorf("subscriptions: cannot close %s: %w", f.path, err)
	}
	return nil
}

// ReadOnly reports whether the file was opened for reading only.
func (f *File) ReadOnly() bool { return f.db.IsReadOnly() }

// Name returns the name of the file, without its folder.
func (f *File) Name() string { return filepath.Base(f.path) }

// Followers returns who follows publisher, in ascending order, and how many they
// are. The ids are those of this moment, whatever changes while they are read.
func (f *File) Followers(publisher int64) (ids iter.Seq[int64], n int, err error) {
	return f.list(followersBucket, publisher)
}

// Publishers returns whom follower follows, in ascending order, and how many they
// are.
func (f *File) Publishers(follower int64) (ids iter.Seq[int64], n int, err error) {
	return f.list(publishersBucket, follower)
}

// list returns a list as it is now. It copies the list: a reader of the file
// itself would keep writers waiting for as long as it reads.
func (f *File) list(bucket []byte, id int64) (ids iter.Seq[int64], n int, err error) {
	var list []byte
	err = f.view(func(tx *bbolt.Tx) (err error) {
		b := tx.Bucket(bucket).Get(keyOf(id))
		if n, err = checkList(b); err == nil {
			list = bytes.Clone(b)
		}
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	return idsOf(list), n, nil
}

// view reads the file.
func (f *File) view(do func(*bbolt.Tx) error) error {
	return f.explain(guarded(func() error { return f.db.View(do) }))
}

// explain names the file in an error of reading or changing it.
func (f *File) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errDamaged), errors.Is(err, errList):
		return fmt.Errorf("subscriptions: %w", damaged(f.path, err))
	case errors.Is(err, errNothing), errors.Is(err, ErrEntry):
		return err
	case errors.Is(err, berrors.ErrDatabaseReadOnly), errors.Is(err, ErrReadOnly):
		return fmt.Errorf("subscriptions: %s: %w", f.path, ErrReadOnly)
	}
	return fmt.Errorf("subscriptions: %s: %w", f.path, err)
}
