package server

import (
	"bytes"
	"os"
	"strconv"
)

// residentBytes returns this process's resident memory: the second field of
// /proc/self/statm, in pages (proc(5)).
func residentBytes() *int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return nil
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return nil
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return nil
	}
	return new(pages * int64(os.Getpagesize()))
}
