//go:build !linux

package server

import "errors"

const defaultEngine = Goroutine

// newEpollEngine is never reached: Config.Validate refuses the engine here.
func newEpollEngine(*core) (engine, error) {
	return nil, errors.ErrUnsupported
}
