// Package adminhttp is the admin listener of comet's long-running processes:
// who may ask, how many may be connected, and the pages that all of them have.
//
//	a, err := adminhttp.Listen(adminhttp.Config{Address: "127.0.0.1:8001"})
//	if err != nil { … }
//	a.AddPages(adminhttp.Pages{Ready: …, Stats: …, Metrics: …})
//	a.HandleFunc("POST /send", …)
//	err = a.Serve() // until Shutdown
//
// [Guard] decides who may ask. It takes plain values, so that servers other
// than net/http can use it. With a token, a request passes if it carries the
// token, wherever it comes from. Without one the listener is on loopback, and
// the danger is a web page that somebody on this machine looks at: it must not
// publish, profile or collect. Such a page betrays itself by one of two things.
// If its own name leads to 127.0.0.1 (DNS rebinding), Host has that name. If it
// calls this listener by its address, Origin or Sec-Fetch-Site says so.
//
// [Listener] bounds the connections. One that waits costs a file and nothing
// else, until there are as many as there may be: then a new one takes the place
// of the one that has waited longest.
package adminhttp
