package router

import "fmt"

// MaxMessage is the longest message, in bytes, whichever way it comes.
const MaxMessage = 1 << 20

// ErrTooLong is the error of a message that is longer than MaxMessage.
var ErrTooLong = fmt.Errorf("a message may have %d MiB", MaxMessage>>20)
