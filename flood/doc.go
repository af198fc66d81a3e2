// Package flood opens many streaming connections and watches what comes: the
// article's floodtest. It works against any server that streams over HTTP/1.
//
//	f, err := flood.New(flood.Config{URL: "http://127.0.0.1:8000/test/{id}", Connections: 10_000})
//	if err != nil { … }
//	result, err := f.Run(ctx) // holds them until ctx ends, then closes them
//
// One event loop opens and reads all connections on Linux; elsewhere each has a
// goroutine. A connection at rest costs some eighty bytes, and whatever a peer
// sends, at most two megabytes.
//
// Messages that carry a stamp (package wire) give latency, from when they were due to
// when they came (on Linux, when the kernel had them), and an account of each connection:
// what was delivered, duplicated and reordered, however late and in whatever order it
// came, of however many sequences and generators. How a server or a proxy packs the bytes
// makes no difference to it.
package flood
