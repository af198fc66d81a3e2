// Package subscriptions keeps who follows whom in one file, so that an event of
// a publisher can go to all of its followers.
//
//	f, err := subscriptions.Open("friends.db")
//	if err != nil { … }
//	defer f.Close()
//	_, err = f.Add(1, 7)              // 1 follows 7; on the disk when Add returns
//	ids, n, err := f.Followers(7)     // n of them
//	for follower := range ids { … }   // in ascending order
//
// [Import] makes a file of a list of edges, [Generate] of a seed; [File.Stats]
// describes one, and [File.Export] lists it.
//
// # The file
//
// It is a bbolt database with the graph in both directions: a key per publisher
// with its followers, and a key per follower with its publishers. A list is its
// length, its first id, and the gaps between the ids, as varints: some 2.4 bytes
// for each of 50 among a million. The file is mapped into memory; the heap holds
// the list that is being read. A change rewrites the lists that it is about.
package subscriptions
