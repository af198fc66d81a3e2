package report_test

import (
	"fmt"
	"strings"

	"example.org/comet/cmd/internal/report"
	"example.org/comet/cmd/internal/result"
)

func ExampleWrite() {
	var r result.Result
	r.Connections.Asked, r.Connections.Established = result.Of(15_000), result.Of(15_000)
	r.Processes.Engine = "epoll"
	var page strings.Builder
	if err := report.Write(&page, &r, report.Extras{Command: []string{"comet", "bench", "-c", "15k"}}); err != nil {
		fmt.Println(err)
	}
	for line := range strings.Lines(page.String()) {
		if strings.HasPrefix(line, "<h1>") || strings.HasPrefix(line, "<pre>") || strings.HasPrefix(line, `<p class="summary">`) {
			fmt.Print(line)
		}
	}
	// Output:
	// <h1>15,000 connections, epoll engine</h1>
	// <p class="summary">Held 15,000 connections; nothing limited it.</p>
	// <pre>comet bench -c 15k</pre>
}
