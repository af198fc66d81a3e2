package msggen

import (
	"bytes"
	"strconv"
	"time"
)

// momentIn returns where the moment in the stamp of a generated message begins
// and ends, both 0 if there is none: see [wire.AppendStamped].
func momentIn(message []byte) (from, to int) {
	const before = " t="
	i := bytes.LastIndex(message, []byte(before))
	if i < 0 {
		return 0, 0
	}
	from = i + len(before)
	to = from
	for to < len(message) && message[to] >= '0' && message[to] <= '9' {
		to++
	}
	return from, to
}

// restamp sets the moment in the stamp of a generated message to now. It leaves
// alone one of another length, which is of another age.
func restamp(message []byte, now time.Time) {
	from, to := momentIn(message)
	putMoment(message[from:to], now)
}

// putMoment overwrites a moment's digits with those of now.
func putMoment(moment []byte, now time.Time) {
	var digits [20]byte
	text := strconv.AppendInt(digits[:0], now.UnixNano(), 10)
	if len(text) == len(moment) {
		copy(moment, text)
	}
}
