package live_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"example.org/comet/cmd/internal/live"
	"example.org/comet/cmd/internal/result"
)

// A run shows what is seen of it each second, and what came of it at the end.
func Example() {
	page, err := live.New(live.Config{Address: "127.0.0.1:0", Title: "comet bench"})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, end := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() { _ = page.Run(ctx) })
	defer serving.Wait()
	defer end()
	page.Add(result.Moment{Seconds: 1, Phase: "connect", Connected: result.Of(10_000)}, result.Quantiles{})
	page.End("Held 10,000 connections.")

	answer, err := http.Get("http://" + page.Addr().String() + "/metrics")
	if err != nil {
		fmt.Println(err)
		return
	}
	text, _ := io.ReadAll(answer.Body)
	answer.Body.Close()
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "comet_run_connections{") || strings.HasPrefix(line, "comet_run_ended") {
			fmt.Print(line)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	// Output:
	// comet_run_ended 1
	// comet_run_connections{state="open"} 10000
}
