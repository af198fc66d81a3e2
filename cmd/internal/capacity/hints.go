package capacity

import "strings"

// hints say where servers set how many connections they hold, by the beginning of the
// name of their program.
var hints = []struct{ program, text string }{
	{"nginx", "nginx does this at worker_connections x worker_processes, less what it uses itself: raise worker_connections."},
	{"comet", "comet serve does this at --max-connections, and for each client address at --connection-limit: raise them."},
	{"centrifugo", "Centrifugo does this at client.connection_limit (client_connection_limit before version 6), and for each user at client.user_connection_limit: raise them."},
	{"haproxy", "HAProxy does this at maxconn, of the process, of the frontend and of each server: raise it."},
	{"envoy", "Envoy does this at the max_connections of a cluster's circuit breakers and at its overload manager's limit on downstream connections: raise them."},
	{"apache2", "Apache does this at MaxRequestWorkers, and at AsyncRequestWorkerFactor with mpm_event: raise them."},
	{"httpd", "Apache does this at MaxRequestWorkers, and at AsyncRequestWorkerFactor with mpm_event: raise them."},
	{"gunicorn", "Gunicorn does this at --worker-connections x --workers: raise them."},
	{"uvicorn", "Uvicorn does this at --limit-concurrency: raise it."},
	{"node", "Node.js does this at server.maxConnections, and socket libraries at limits of their own: raise them."},
	{"beam", "Erlang and Elixir servers do this at max_connections of their listener (Ranch, Cowboy, EMQX) and at the VM's +Q: raise them."},
	{"java", "Java servers do this at their connector's limit (Tomcat: maxConnections; Jetty: ConnectionLimit): raise it."},
	{"dotnet", "Kestrel does this at Limits.MaxConcurrentConnections and MaxConcurrentUpgradedConnections: raise them."},
	{"mosquitto", "Mosquitto does this at max_connections of its listener: raise it."}, //nolint:misspell // its name
	{"redis", "Redis does this at maxclients: raise it."},
	{"caddy", "Caddy has no such limit of its own: see the handler behind it."},
	{"traefik", "Traefik does this at its inFlightReq middleware: raise its amount."},
	{"php-fpm", "PHP-FPM does this at pm.max_children: raise it."},
	{"puma", "Puma does this at its threads x workers: raise them."},
}

// hint returns what to raise in the configuration of a program.
func hint(program string) string {
	for _, h := range hints {
		if strings.HasPrefix(strings.ToLower(program), h.program) {
			return h.text
		}
	}
	return "Look for a limit on connections in the server's configuration, and in that of a proxy before it."
}
