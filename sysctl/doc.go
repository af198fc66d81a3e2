// Package sysctl answers one question: which limit of the kernel or of the
// process stops N connections before they are all open?
//
// [Read] reads the system once. [Check] judges it as a pure function of what was
// read and of what is needed, and [Refusal] makes one sentence of the result:
//
//	need := sysctl.Need{Connections: 10000, Role: sysctl.Both}
//	system, err := sysctl.Read()
//	// errors.Is(err, errors.ErrUnsupported): nothing to check here
//	if err := sysctl.Refusal(need, sysctl.Check(need, system)); err != nil {
//		return err // this shell allows 4,096 open files and 10,000 connections need 10,064: run with …
//	}
//
// [CheckSelf] does all of this in one call and raises the soft limit on open files
// first. A person who looks for the limit gets all of them from [Examine], reads
// them with a [Machine], which takes the shell's limits and not this process's,
// and lifts them with [Machine.Apply] until the next boot or with [Conf] for good.
//
// Linux is read in full, from /proc, /sys and getrlimit(2), macOS as far as it has
// such limits. Elsewhere Read returns that there is nothing to read.
package sysctl
