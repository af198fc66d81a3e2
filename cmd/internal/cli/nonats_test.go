//go:build nonats

package cli

import (
	"strings"
	"testing"
)

// TestNoNATS: a comet without the router says so wherever one is asked for, and does
// all else.
func TestNoNATS(t *testing.T) {
	for _, line := range []string{
		"router", "serve --router nats://127.0.0.1:1", "send --router nats://127.0.0.1:1 1 hello",
		"msggen --router nats://127.0.0.1:1 --max-id 10 --count 1", "bench -c 10 --nodes 2", "bench -c 10 --router nats://127.0.0.1:1",
	} {
		if out, code, err := execute(t.Context(), nil, strings.Fields(line)...); code != exitUsage || err == nil || !strings.Contains(err.Error(), "built without the router") {
			t.Errorf("comet %s: exit code %d, %v\n%s", line, code, err, out)
		}
	}
	for _, line := range []string{"serve --help", "config bench -c 10"} {
		if _, code, err := execute(t.Context(), nil, strings.Fields(line)...); code != exitDone {
			t.Errorf("comet %s: exit code %d, %v", line, code, err)
		}
	}
}
