//go:build !unix

package subscriptions

import "os"

// unlock does nothing: closing the file ends its lock.
func unlock(*os.File) {}
