package capacity

import (
	"slices"
	"strings"
	"unicode"
)

// hints say where servers set how many connections they hold, by the beginning of the
// name of their program. What their answers call them is in answers, where that is
// something else.
var hints = []struct {
	program, text string
	answers       []string
}{
	{program: "nginx", text: "nginx does this at worker_connections x worker_processes, less what it uses itself: raise worker_connections.", answers: []string{"openresty", "tengine"}},
	{program: "comet", text: "comet serve does this at --max-connections, and for each client address at --connection-limit: raise them."},
	{program: "centrifugo", text: "Centrifugo does this at client.connection_limit (client_connection_limit before version 6), and for each user at client.user_connection_limit: raise them."},
	{program: "haproxy", text: "HAProxy does this at maxconn, of the process, of the frontend and of each server: raise it."},
	{program: "envoy", text: "Envoy does this at the max_connections of a cluster's circuit breakers and at its overload manager's limit on downstream connections: raise them.", answers: []string{"istio-envoy"}},
	{program: "java", text: "Java servers do this at their connector's limit (Tomcat: maxConnections; Jetty: ConnectionLimit): raise it.", answers: []string{"apache-coyote", "jetty"}},
	{program: "apache2", text: apache, answers: []string{"apache"}},
	{program: "httpd", text: apache},
	{program: "gunicorn", text: "Gunicorn does this at --worker-connections x --workers: raise them."},
	{program: "uvicorn", text: "Uvicorn does this at --limit-concurrency: raise it."},
	{program: "node", text: "Node.js does this at server.maxConnections, and socket libraries at limits of their own: raise them.", answers: []string{"express"}},
	{program: "beam", text: "Erlang and Elixir servers do this at max_connections of their listener (Ranch, Cowboy, EMQX) and at the VM's +Q: raise them.", answers: []string{"cowboy"}},
	{program: "dotnet", text: "Kestrel does this at Limits.MaxConcurrentConnections and MaxConcurrentUpgradedConnections: raise them.", answers: []string{"kestrel"}},
	{program: "w3wp", text: "IIS does this at maxConnections of the site's limits, and at appConcurrentRequestLimit: raise them.", answers: []string{"microsoft-iis"}},
	{program: "mosquitto", text: "Mosquitto does this at max_connections of its listener: raise it."}, //nolint:misspell // its name
	{program: "redis", text: "Redis does this at maxclients: raise it."},
	{program: "caddy", text: "Caddy has no such limit of its own: see the handler behind it."},
	{program: "traefik", text: "Traefik does this at its inFlightReq middleware: raise its amount."},
	{program: "lighttpd", text: "lighttpd does this at server.max-connections, and at server.max-fds: raise them."},
	{program: "php-fpm", text: "PHP-FPM does this at pm.max_children: raise it.", answers: []string{"php"}},
	{program: "puma", text: "Puma does this at its threads x workers: raise them."},
}

const apache = "Apache does this at MaxRequestWorkers, and at AsyncRequestWorkerFactor with mpm_event: raise them."

// hint returns what to raise in the configuration of a server: of the program, or else
// of what its answers say that it is.
func hint(program, answers string) string {
	for _, h := range hints {
		if strings.HasPrefix(strings.ToLower(program), h.program) {
			return h.text
		}
	}
	const unknown = "Look for a limit on connections in the server's configuration, and in that of a proxy before it."
	if answers == "" {
		return unknown
	}
	said := "Its answers say " + answers + ", which a proxy before it may have written"
	products := productsOf(answers)
	var texts []string
	for _, h := range hints {
		if slices.Contains(products, h.program) || slices.ContainsFunc(h.answers, func(name string) bool { return slices.Contains(products, name) }) {
			texts = append(texts, h.text)
		}
	}
	if len(texts) == 0 {
		return said + ". " + unknown
	}
	return said + ": " + strings.Join(texts, " ")
}

// productsOf returns the names of products, in small letters, without versions and
// comments (RFC 9110, section 10.2.4): nginx of nginx/1.26.0 (Ubuntu).
func productsOf(answers string) (list []string) {
	for word := range strings.FieldsFuncSeq(strings.ToLower(answers), func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(",;()", r) }) {
		name, _, _ := strings.Cut(word, "/")
		list = append(list, name)
	}
	return list
}
