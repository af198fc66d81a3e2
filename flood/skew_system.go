//go:build system

package flood

import (
	"os"
	"time"
)

// skew returns by how much a system test has the clock of this process be ahead.
func skew() time.Duration {
	d, _ := time.ParseDuration(os.Getenv("TEST_CLOCK_AHEAD")) //nolint:forbidigo // not in any binary that is built
	return d
}
