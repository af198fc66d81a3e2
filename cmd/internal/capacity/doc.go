// Package capacity finds how much a server holds: the most connections, or messages
// per second, that still meet every target, and what stopped it.
//
// The search is a pure function of the trials so far. It doubles the load, then
// narrows the interval between the highest load that held and the lowest that
// failed, by short trials, and then holds both of them in full, several times. A
// trial that contradicts an earlier one takes its bound back. The idea is that of
// MLRsearch (draft-ietf-bmwg-mlrsearch): plain bisection, as in RFC 2544, believes one
// lucky trial and never looks at it again.
//
// The trials are run by a session of package bench. What stopped the server is
// another pure function, of the trials at both sides of the answer and of what was
// seen of its processes meanwhile.
package capacity
