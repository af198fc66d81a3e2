package natsrouter

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// DefaultSubjectPrefix is what the subjects of messages begin with.
const DefaultSubjectPrefix = "comet.msg"

// BlockSize is how many ids share a block of subjects, so that a node can ask
// for all of them with one wildcard.
const BlockSize = 1024

// ReportSubject is followed by a node's name: there it publishes its NodeReport.
const ReportSubject = "comet.node."

// ReportInterval is how often a node reports.
const ReportInterval = 2 * time.Second

// ClientName returns what the NATS servers' lists of clients call a node.
func ClientName(node string) string { return "comet serve " + node }

// appendSubject appends the subject of messages to id.
func appendSubject(dst []byte, prefix string, id int64) []byte {
	dst = append(dst, prefix...)
	dst = append(dst, '.')
	dst = strconv.AppendInt(dst, id/BlockSize, 10)
	dst = append(dst, '.')
	return strconv.AppendInt(dst, id, 10)
}

// blockSubject returns the wildcard of all messages to ids of a block.
func blockSubject(prefix string, block int64) string {
	return prefix + "." + strconv.FormatInt(block, 10) + ".*"
}

// allSubject returns the wildcard of all messages.
func allSubject(prefix string) string { return prefix + ".*.*" }

// eventWord is between the prefix and a publisher in the subject of an event.
const eventWord = ".event.follow."

// appendEventSubject appends the subject of a publisher's events.
func appendEventSubject(dst []byte, prefix string, publisher int64) []byte {
	dst = append(append(dst, prefix...), eventWord...)
	return strconv.AppendInt(dst, publisher, 10)
}

// AgentSubject returns the subject on which a load host, or who has it work, is told
// something: no interest in messages or events matches it. verb and whom are one word
// each.
func (s Servers) AgentSubject(verb, whom string) string {
	return s.withDefaults().SubjectPrefix + ".agent." + verb + "." + whom
}

// eventsSubject returns the wildcard of all events.
func eventsSubject(prefix string) string { return prefix + eventWord + "*" }

// changeWord is between the prefix and a node, or toAll, in the subject of what nodes
// tell each other of changes of who follows whom.
const (
	changeWord = ".event.change."
	toAll      = "all"
)

// changeSubject returns the subject of what is for one node, or for all.
func changeSubject(prefix, node string) string { return prefix + changeWord + node }

// appendAnySubject appends the subject of a message to id, or of an event of it.
func appendAnySubject(dst []byte, prefix string, id int64, event bool) []byte {
	if event {
		return appendEventSubject(dst, prefix, id)
	}
	return appendSubject(dst, prefix, id)
}

// anySubject returns the wildcard of all messages, or of all events.
func anySubject(prefix string, event bool) string {
	if event {
		return eventsSubject(prefix)
	}
	return allSubject(prefix)
}

// subjectPublisher returns whose event a message on subject is, and reports whether
// it is one.
func subjectPublisher(prefix, subject string) (publisher int64, ok bool) {
	rest, ours := strings.CutPrefix(subject, prefix)
	digits, event := strings.CutPrefix(rest, eventWord)
	publisher, isID := wholeNumber(digits)
	return publisher, ours && event && isID
}

// subjectID returns the id that a message on subject is for. It reports false
// for every subject but the one that appendSubject makes: anybody may publish
// anything on NATS, and a subject that a wildcard matches reaches some nodes and
// not others.
func subjectID(prefix, subject string) (id int64, ok bool) {
	rest, ours := strings.CutPrefix(subject, prefix)
	rest, dot := strings.CutPrefix(rest, ".")
	block, digits, two := strings.Cut(rest, ".")
	id, isID := wholeNumber(digits)
	of, isBlock := wholeNumber(block)
	return id, ours && dot && two && isID && isBlock && of == id/BlockSize
}

// askSubject takes requests for a report of every node.
const askSubject = "comet.node"

// mayAnswer reports whether an answer may go to a subject that somebody has asked for it
// on: not where messages, events, changes and reports go. Else who may publish to one id
// could have a node say something to another, or to nodes.
func mayAnswer(prefix, reply string) bool {
	rest, ours := strings.CutPrefix(reply, prefix)
	return reply != "" && reply != askSubject && !strings.HasPrefix(reply, ReportSubject) && (!ours || !strings.HasPrefix(rest, "."))
}

// wholeNumber reads digits as strconv.AppendInt writes them: without a sign and
// without zeros in front.
func wholeNumber(digits string) (n int64, ok bool) {
	if digits == "" || digits[0] < '0' || digits[0] > '9' || digits[0] == '0' && len(digits) > 1 {
		return 0, false
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, err == nil
}

// checkPrefix refuses what NATS would not accept as the beginning of a subject,
// or would read as something else.
func checkPrefix(prefix string) error {
	for token := range strings.SplitSeq(prefix, ".") {
		if token == "" || bytes.ContainsAny([]byte(token), " \t\r\n*>") {
			return fmt.Errorf("subject prefix %q: write words with dots between them, without spaces, * and >, such as %s", prefix, DefaultSubjectPrefix)
		}
	}
	return nil
}
