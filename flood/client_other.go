//go:build !linux

package flood

import "context"

func (f *Flood) run(ctx context.Context) (Result, error) { return f.runStd(ctx) }

const hasLoop = false
