// Package live is the page on which people watch a run, and the /metrics of it
// for Prometheus:
//
//	page, err := live.New(live.Config{Address: "127.0.0.1:9100", Title: "comet bench"})
//	if err != nil { … }
//	go page.Run(ctx)
//	page.Add(moment, soFar) // each second
//	page.End("It held 10,000 connections.")
//
// The page needs nothing from anywhere else. It reads /events, a stream of
// server-sent events that begins with all that was seen so far, so that a page
// that is loaded again has lost nothing. What is kept is bounded (see [Server.Add]),
// and so is what waits for a viewer: one who does not read is cut off, and the run
// never waits for any.
package live
