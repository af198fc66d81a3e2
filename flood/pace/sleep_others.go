//go:build !linux

package pace

import "time"

// lastStretch is 0: the Go timer waits to the end, as punctually as this
// system's timers are.
const lastStretch time.Duration = 0

// sleepPunctually and holdPunctually do nothing: nothing is left to wait for.
func sleepPunctually(time.Time) error { return nil }
func holdPunctually(time.Time) error  { return nil }
