//go:build !linux

package memlog

import "errors"

func playNamespace(string) error { return errors.ErrUnsupported }

func playFullDisk(string) error { return errors.ErrUnsupported }
