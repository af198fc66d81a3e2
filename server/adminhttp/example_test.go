package adminhttp_test

import (
	"fmt"
	"net/http"
	"os"

	"example.org/comet/server/adminhttp"
)

// A listener without a token is for this machine, by any of its names, and not
// for the pages of others.
func ExampleGuard() {
	g := adminhttp.NewGuard("", []string{"comet.internal"})
	for _, r := range []adminhttp.Request{
		{Method: http.MethodPost, Target: "/send/1", Hosts: []string{"127.0.0.1:8001"}},
		{Method: http.MethodPost, Target: "/send/1", Hosts: []string{"comet.internal"}},
		{Method: http.MethodPost, Target: "/send/1", Hosts: []string{"rebound.example"}},
		{Method: http.MethodPost, Target: "/send/1", Hosts: []string{"localhost"}, FetchSite: "cross-site"},
	} {
		if refusal := g.Check(r); refusal != nil {
			fmt.Println(refusal.Code, refusal.Reason)
		} else {
			fmt.Println("passes")
		}
	}
	// Output:
	// passes
	// passes
	// 403 the host "rebound.example" is not known here: ask for an IP address or localhost; comet serve and comet router allow a name with --admin-host
	// 403 this request comes from a web page of another site
}

func ExampleWriteMetrics() {
	_ = adminhttp.WriteMetrics(os.Stdout, []adminhttp.Metric{
		adminhttp.Gauge("comet_connections", "Open streams.", "", 3),
		adminhttp.Counter("comet_messages_dropped_total", "Messages discarded.", adminhttp.Labels("reason", "slow"), 2),
		adminhttp.Counter("comet_messages_dropped_total", "", adminhttp.Labels("reason", "closed"), 0),
	})
	// Output:
	// # HELP comet_connections Open streams.
	// # TYPE comet_connections gauge
	// comet_connections 3
	// # HELP comet_messages_dropped_total Messages discarded.
	// # TYPE comet_messages_dropped_total counter
	// comet_messages_dropped_total{reason="slow"} 2
	// comet_messages_dropped_total{reason="closed"} 0
}
