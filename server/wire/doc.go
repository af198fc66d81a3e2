// Package wire is what goes over the socket: request heads, answers, chunks,
// server-sent events, WebSocket frames, and the stamp that lets a client tell
// what was lost on the way. Every function is pure: bytes in, bytes out. Both
// engines of the server and both clients of flood speak through it, so that
// they cannot differ.
//
// A server reads heads with a [Parser], which also says what to answer, and
// frames messages with [Kind.AppendMessage]. A client reads with
// [ResponseParser], which takes the bytes in whatever pieces they come.
//
// HTTP is RFC 9110 and RFC 9112, WebSocket RFC 6455, server-sent events the
// WHATWG HTML standard, section 9.2.
package wire
