package cli

import (
	"errors"

	"example.org/comet/sysctl"
)

// checkLimits raises the soft limit on open files as far as this process may,
// and then refuses what it would fail at, with what to do instead.
func checkLimits(env *Env, need sysctl.Need) error {
	if _, _, err := sysctl.RaiseOpenFiles(); err != nil {
		env.Logger().Warn("the limit on open files stays as it is", "error", err)
	}
	system, err := sysctl.Read()
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		env.Logger().Warn("not every limit of this system is known", "error", err)
	}
	if err := sysctl.Refusal(need, sysctl.Check(need, system)); err != nil {
		return usageError{err}
	}
	return nil
}
