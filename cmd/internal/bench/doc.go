// Package bench is the article's experiment in one command: it starts the
// server, the flood, the message generator and the memory logger as processes
// of this same binary, takes them through the phases
//
//	start -> connect -> idle -> messages -> drain
//
// and leaves a folder with what was measured. Each process is one that a user
// could have started by hand; bench speaks with them through their flags and
// their JSON lines, and ends them by closing their standard input, so that they
// end with bench however bench ends.
package bench
