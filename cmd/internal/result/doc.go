// Package result is what an experiment found out: the file result.json, and
// what is made of it for people (a table, report.html) and for benchstat
// (bench.txt). [Compare] finds what changed between two.
//
// A figure that was not measured is null in the file, a dash for people, and
// left out for benchstat; it is never 0:
//
//	var r result.Result
//	r.Memory.BytesPerConnection = result.Of(123)
//	err := r.Write(folder)
package result
