// Package replica keeps the files of subscriptions of several servers the same.
//
// A change is made in the file of one server, which notes it in the file's journal.
// Its Replica sends it to the others, and each applies it to its own file and
// confirms. What a server missed, because it was down or its connection was, it asks
// for: servers say every 2 s which changes they have.
//
//	r := replica.New(replica.Config{File: file, Post: post})
//	go r.Run(ctx)
//	changed, err := file.Add(1, 7)
//	nodes, known := r.Confirmed(ctx, changed) // on the disks of how many servers
//
// How messages travel is up to Config.Post, Replica.Receive and Replica.Link. They
// may be lost, come twice, or late.
package replica
