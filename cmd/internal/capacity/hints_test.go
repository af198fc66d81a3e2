package capacity

import (
	"strings"
	"testing"
)

func TestHint(t *testing.T) {
	const unknown, proxy = "Look for a limit", "which a proxy before it may have written"
	for _, c := range []struct {
		program, answers string
		says, lacks      string
	}{
		{"nginx", "", "worker_connections", proxy},
		{"nginx", "envoy", "worker_connections", proxy},
		{"", "", unknown, proxy},
		{"my-server", "", unknown, proxy},
		{"", "nginx/1.26.0", "Its answers say nginx/1.26.0, " + proxy + ": nginx does this at worker_connections", unknown},
		{"docker-proxy", "nginx", "Its answers say nginx, ", unknown},
		{"", "openresty/1.25.3", "worker_connections", unknown},
		{"", "nginx, Express", "raise worker_connections. Node.js does this", unknown},
		{"", "Apache/2.4.58 (Ubuntu) PHP/8.3", "MaxRequestWorkers", "Tomcat"},
		{"", "Apache/2.4.58 (Ubuntu) PHP/8.3", "pm.max_children", unknown},
		{"", "Apache-Coyote/1.1", "Tomcat: maxConnections", "MaxRequestWorkers"},
		{"", "Jetty(12.0.3)", "Jetty: ConnectionLimit", unknown},
		{"", "istio-envoy", "circuit breakers", unknown},
		{"", "Cowboy", "max_connections of their listener", unknown},
		{"", "Kestrel", "MaxConcurrentConnections", unknown},
		{"", "Microsoft-IIS/10.0, ASP.NET", "appConcurrentRequestLimit", unknown},
		{"", "gunicorn", "--worker-connections", unknown},
		{"", "lighttpd/1.4.76", "server.max-connections", unknown},
		{"", "comet", "--max-connections", unknown},
		{"", "nginx-like/1", "Its answers say nginx-like/1, " + proxy + ". " + unknown, "worker_connections"},
	} {
		if got := hint(c.program, c.answers); !strings.Contains(got, c.says) || strings.Contains(got, c.lacks) {
			t.Errorf("%q, answers %q: %q; want ...%s..., without %q", c.program, c.answers, got, c.says, c.lacks)
		}
	}
}

// TestHintOfAnotherHost: of a server whose processes are not known the answers speak.
func TestHintOfAnotherHost(t *testing.T) {
	s := failedAt(1531, 1532, 1531)
	s.seen.Program, s.seen.Answers = "", "nginx/1.26.0"
	by := stoppedBy(s)
	if by.Limit != "its own configuration" || !strings.HasPrefix(by.Raise, "Its answers say nginx/1.26.0, ") {
		t.Errorf("%+v", by)
	}
}
