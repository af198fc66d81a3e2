package natsrouter

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// DefaultSubjectPrefix is what the subjects of messages begin with.
const DefaultSubjectPrefix = "comet.msg"

// BlockSize is how many ids share a block of subjects, so that a node can ask
// for all of them with one wildcard.
const BlockSize = 1024

// nodeSubject is followed by a node's name: there it reports what it holds.
const nodeSubject = "comet.node."

// appendSubject appends the subject of messages to id.
func appendSubject(dst []byte, prefix string, id int64) []byte {
	dst = append(dst, prefix...)
	dst = append(dst, '.')
	dst = strconv.AppendInt(dst, id/BlockSize, 10)
	dst = append(dst, '.')
	return strconv.AppendInt(dst, id, 10)
}

// blockSubject is the wildcard of all messages to ids of a block.
func blockSubject(prefix string, block int64) string {
	return prefix + "." + strconv.FormatInt(block, 10) + ".*"
}

// allSubject is the wildcard of all messages.
func allSubject(prefix string) string { return prefix + ".*.*" }

// subjectID is the id at the end of a subject. It reports false for a subject
// that is not of ours; anybody may publish anything on NATS.
func subjectID(subject string) (id int64, ok bool) {
	digits := subject[strings.LastIndexByte(subject, '.')+1:]
	if digits == "" || digits[0] < '0' || digits[0] > '9' { // ParseInt takes a sign
		return 0, false
	}
	id, err := strconv.ParseInt(digits, 10, 64)
	return id, err == nil
}

// checkPrefix refuses what NATS would not take as the beginning of a subject,
// or as something else than it looks like.
func checkPrefix(prefix string) error {
	for token := range strings.SplitSeq(prefix, ".") {
		if token == "" || bytes.ContainsAny([]byte(token), " \t\r\n*>") {
			return fmt.Errorf("subject prefix %q: write words with dots between them, without spaces, * and >, such as %s", prefix, DefaultSubjectPrefix)
		}
	}
	return nil
}
