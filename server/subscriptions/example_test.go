package subscriptions_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"example.org/comet/server/subscriptions"
)

func Example() {
	folder, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "friends.db")
	edges := subscriptions.NewEdges(strings.NewReader("# follower\tpublisher\n1\t7\n2\t7\n2\t8\n"), "edges.tsv")
	if _, err := subscriptions.Import(context.Background(), path, edges, false); err != nil {
		fmt.Println(err)
		return
	}
	f, err := subscriptions.Open(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer f.Close()
	changed, err := f.Add(3, 7)
	fmt.Println(changed.Added, err)
	followers, n, err := f.Followers(7)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(n, "follow 7:")
	for id := range followers {
		fmt.Println(id)
	}
	// Output:
	// 1 <nil>
	// 3 follow 7:
	// 1
	// 2
	// 3
}
