//go:build system

package main

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

var (
	shownRequest = regexp.MustCompile(`\b((?:GET|PUT|POST|DELETE)(?:, (?:GET|PUT|POST|DELETE))*)((?: +/\S*)+)`)
	shownHole    = regexp.MustCompile(`\{[a-z]+\}`)
	shownOption  = regexp.MustCompile(`\[(.*)\]`)
)

// shownRequests returns the methods and paths that a line lists.
func shownRequests(line string) (requests [][2]string) {
	for _, found := range shownRequest.FindAllStringSubmatch(line, -1) {
		for method := range strings.SplitSeq(found[1], ", ") {
			for path := range strings.FieldsSeq(found[2]) {
				requests = append(requests, [2]string{method, strings.TrimRight(path, ",;")})
			}
		}
	}
	return requests
}

// requests makes the requests that a block lists, with and without what is in brackets. One of
// the two listeners has to know each.
func (m *machine) requests(s shownStep) {
	m.t.Helper()
	made := 0
	for i, line := range strings.Split(s.text, "\n") {
		for _, r := range shownRequests(line) {
			made++
			path := shownHole.ReplaceAllString(r[1], "1")
			whole, short := shownOption.ReplaceAllString(path, "$1"), shownOption.ReplaceAllString(path, "")
			if !m.knows(r[0], whole) && !m.knows(r[0], short) {
				m.t.Errorf("line %d: no listener knows %s %s", s.line+i, r[0], r[1])
			}
		}
	}
	if made == 0 {
		m.t.Errorf("line %d: a block of requests has none:\n%s", s.line, s.text)
	}
}

// curlTimedOut is curl's exit code where there is no head for so long, as of a long poll.
const curlTimedOut = "28"

// knows reports whether a listener of comet serve answers a request as one that it takes.
func (m *machine) knows(method, path string) bool {
	m.t.Helper()
	more := "-d '1 1'"
	if strings.HasPrefix(path, "/ws/") {
		more = "-H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=='"
	} else if method == http.MethodGet {
		more = ""
	}
	for _, port := range []string{"8000", "8001"} {
		code, out := m.run(fmt.Sprintf("curl --no-fail -o /dev/null -w '%%{http_code}' --max-time 0.5 -X %s %s 'http://127.0.0.1:%s%s' 2>/dev/null", method, more, port, path))
		status, err := strconv.Atoi(out)
		if err != nil {
			m.t.Errorf("%s %s: %s", method, path, out)
		}
		if status > 0 && status < 300 || status == 0 && code == curlTimedOut {
			return true
		}
	}
	return false
}
