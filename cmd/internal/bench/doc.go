// Package bench is the article's experiment in one command: it starts a server,
// floods, a message generator and a memory logger as processes of this binary, or
// finds a server that runs already, and takes them through the phases
//
//	start -> connect -> idle -> messages -> drain
//
// The phases only write a record. The figures of the result, the account of the
// messages and what limited the run are pure functions of that record and of the
// plan. Two kinds of site, own and foreign, know which servers there are.
//
// Each process is one that a user could have started by hand. Bench talks to them
// by their flags and their JSON lines (see package fleet).
package bench
