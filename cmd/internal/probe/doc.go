// Package probe reads what the machine and the parts of an experiment use at one
// moment. A figure that nobody can tell is a result.Figure without a value.
//
//	before := probe.Take(false, parts)
//	...
//	grown := probe.Take(false, parts).Sub(before)
//	cpu := grown.Sum("server", probe.CPU)
package probe
