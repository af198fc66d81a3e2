//go:build !unix

package msggen

import (
	"testing"
	"time"
)

// cpuTime has nothing to ask here: one goroutine generates, so elapsed time is
// at least what it used.
func cpuTime(*testing.B) time.Duration { return time.Since(begun) }

var begun = time.Now()
