//go:build !unix

package flood

import "time"

// cpuTime is not measured here.
func cpuTime() time.Duration { return 0 }
