// Package result is what an experiment found out: the file result.json, what each
// figure is called, and the judgement of it. [Check] holds it against targets, and
// [Compare] finds what changed between two. It also writes a table for people and
// bench.txt for benchstat; pages are made by package report.
//
// A figure that was not measured is null in the file, a dash for people, and
// left out for benchstat; it is never 0:
//
//	var r result.Result
//	r.Memory.BytesPerConnection = result.Of(123)
//	err := r.Write(folder)
package result
