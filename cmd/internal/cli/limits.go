package cli

import "example.org/comet/sysctl"

// checkLimits refuses what this process would fail at, with what to do instead.
func checkLimits(need sysctl.Need) error {
	system, err := sysctl.Read()
	if err != nil {
		return err
	}
	if err := sysctl.Refusal(need, sysctl.Check(need, system)); err != nil {
		return usageError{err}
	}
	return nil
}
