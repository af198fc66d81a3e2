package subscriptions

import (
	"encoding/binary"
	"errors"
	"iter"
	"math"
)

// errList is the error of a value that is not a list.
var errList = errors.New("a list in it is not one")

// appendList appends ids, which ascend, as a list: their number, the first of
// them, and for each other one the gap before it, less 1, all as varints.
func appendList(b []byte, ids []int64) []byte {
	b = binary.AppendUvarint(b, uint64(len(ids)))
	last := int64(-1)
	for _, id := range ids {
		b = binary.AppendUvarint(b, uint64(id-last-1))
		last = id
	}
	return b
}

// checkList returns the number of ids in a list. Nothing is an empty list.
func checkList(b []byte) (n int, err error) {
	if len(b) == 0 {
		return 0, nil
	}
	count, width := binary.Uvarint(b)
	if width <= 0 || count > uint64(len(b)-width) { // an id takes a byte
		return 0, errList
	}
	b = b[width:]
	last := int64(-1)
	for range count {
		gap, width := binary.Uvarint(b)
		if width <= 0 || last == math.MaxInt64 || gap > uint64(math.MaxInt64-last-1) {
			return 0, errList
		}
		last += int64(gap) + 1
		b = b[width:]
	}
	if len(b) > 0 {
		return 0, errList
	}
	return int(count), nil
}

// idsOf returns the ids of a list that checkList has passed.
func idsOf(b []byte) iter.Seq[int64] {
	return func(yield func(int64) bool) {
		if len(b) == 0 {
			return
		}
		_, width := binary.Uvarint(b)
		last := int64(-1)
		for rest := b[width:]; len(rest) > 0; {
			gap, width := binary.Uvarint(rest)
			last += int64(gap) + 1
			if !yield(last) {
				return
			}
			rest = rest[width:]
		}
	}
}

// appendIDs appends the ids of a list to ids.
func appendIDs(ids []int64, b []byte) ([]int64, error) {
	if _, err := checkList(b); err != nil {
		return ids, err
	}
	for id := range idsOf(b) {
		ids = append(ids, id)
	}
	return ids, nil
}

// keyOf returns the key of an id: keys are in the order of their ids.
func keyOf(id int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(id)) }

// idOf returns the id of a key.
func idOf(key []byte) (int64, error) {
	if len(key) != 8 || key[0] > 0x7f {
		return 0, errors.New("a key in it is not an id")
	}
	return int64(binary.BigEndian.Uint64(key)), nil
}
