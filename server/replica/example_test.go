package replica_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"example.org/comet/server/replica"
	"example.org/comet/server/subscriptions"
)

// Two servers in one process, and a channel to each.
func Example() {
	folder, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	names := []string{"web-1", "web-2"}
	files := make([]*subscriptions.File, 2)
	replicas := make([]*replica.Replica, 2)
	inboxes := []chan []byte{make(chan []byte, 100), make(chan []byte, 100)}
	for i, name := range names {
		if files[i], err = subscriptions.Open(filepath.Join(folder, name+".db")); err != nil {
			fmt.Println(err)
			return
		}
		defer files[i].Close()
		replicas[i] = replica.New(replica.Config{File: files[i], Name: name, Post: func(_ string, message []byte) error {
			inboxes[1-i] <- message
			return nil
		}})
	}

	ctx, end := context.WithCancel(context.Background())
	var work sync.WaitGroup
	defer work.Wait()
	defer end()
	for i, r := range replicas {
		work.Go(func() { r.Run(ctx) })
		work.Go(func() {
			for ctx.Err() == nil {
				select {
				case message := <-inboxes[i]:
					r.Receive(names[1-i], message)
				case <-ctx.Done():
				}
			}
		})
		r.Link(true)
	}
	for replicas[0].Ready() != nil || replicas[0].Stats().Nodes < 2 {
		time.Sleep(time.Millisecond)
	}

	changed, err := files[0].Add(1, 7) // 1 follows 7
	if err != nil {
		fmt.Println(err)
		return
	}
	nodes, known := replicas[0].Confirmed(ctx, changed)
	_, n, err := files[1].Followers(7)
	fmt.Println("on", nodes, "of", known, "servers; followers on the other one:", n, err)
	// Output: on 2 of 2 servers; followers on the other one: 1 <nil>
}
