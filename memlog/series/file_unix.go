//go:build unix

package series

import (
	"io/fs"
	"syscall"
)

// hasName reports whether an open file still has a name somewhere, so that what
// is written to it is not lost.
func hasName(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return !ok || st.Nlink > 0
}
