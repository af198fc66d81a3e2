package adminhttp

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Request is what a Guard looks at of a request, as it came over the wire.
type Request struct {
	Method string
	// Target is the request target in any of its forms (RFC 9112 section 3.2):
	// /stats, http://127.0.0.1/stats, 127.0.0.1:8001 or *.
	Target string
	// Hosts has the value of each Host field. None is a request of HTTP/1.0.
	Hosts []string
	// Origin, FetchSite (Sec-Fetch-Site) and Authorization are the fields of
	// those names, empty if absent.
	Origin, FetchSite, Authorization string
}

// Refusal is the answer to a request that may not pass.
type Refusal struct {
	Code   int    // the HTTP status
	Reason string // a sentence for whoever asked
}

// Guard decides which requests pass. It is safe for concurrent use.
type Guard struct {
	token    [sha256.Size]byte
	hasToken bool
	hosts    map[string]bool // names besides localhost, lower case
}

// NewGuard returns a Guard that demands token, unless that is empty, and takes
// hosts for names of this machine.
func NewGuard(token string, hosts []string) *Guard {
	g := &Guard{token: sha256.Sum256([]byte(token)), hasToken: token != "", hosts: map[string]bool{"localhost": true}}
	for _, name := range hosts {
		g.hosts[hostKey(name)] = true
	}
	return g
}

// Check returns why r may not pass, nil if it may.
func (g *Guard) Check(r Request) *Refusal {
	authority, path := splitTarget(r.Target)
	if g.hasToken {
		if g.carriesToken(r.Authorization) || isHealth(r.Method, path) {
			return nil
		}
		return &Refusal{http.StatusUnauthorized, "this listener wants its token: Authorization: Bearer TOKEN"}
	}
	if len(r.Hosts) > 1 {
		return &Refusal{http.StatusBadRequest, "a request has one Host"}
	}
	hosts := r.Hosts
	if authority != nil {
		hosts = append([]string{*authority}, hosts...)
	}
	for _, host := range hosts {
		if !g.isThisMachine(host) {
			return &Refusal{http.StatusForbidden, fmt.Sprintf("the host %.100q is not known here: ask for an IP address or localhost; comet serve and comet router allow a name with --admin-host", host)}
		}
	}
	if hasEffects(r.Method, path) && isCrossSite(r, hosts) {
		return &Refusal{http.StatusForbidden, "this request comes from a web page of another site"}
	}
	return nil
}

// carriesToken reports whether authorization is "Bearer" and the token. The
// scheme may be in any case (RFC 9110 section 11.1).
func (g *Guard) carriesToken(authorization string) bool {
	scheme, token, _ := strings.Cut(authorization, " ")
	sum := sha256.Sum256([]byte(strings.Trim(token, " ")))
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(sum[:], g.token[:]) == 1
}

// isHealth reports whether anybody may ask this, such as a load balancer.
func isHealth(method, path string) bool {
	return isRead(method) && (path == "/healthz" || path == "/readyz")
}

func isRead(method string) bool { return method == http.MethodGet || method == http.MethodHead }

// hasEffects reports whether a request does more than read what is there
// anyway. Profiles and traces do, and whatever is not known to be harmless is
// taken to.
func hasEffects(method, path string) bool {
	if !isRead(method) {
		return true
	}
	switch path {
	case "/", "/stats", "/metrics", "/healthz", "/readyz":
		return false
	}
	return true
}

// isCrossSite reports whether a browser sends r for a page of another site.
// Browsers since 2023 say so in Sec-Fetch-Site, older ones give the Origin of
// most requests with effects.
func isCrossSite(r Request, hosts []string) bool {
	switch r.FetchSite {
	case "same-origin", "none":
		return false
	case "":
	default:
		return true
	}
	if r.Origin == "" {
		return false
	}
	origin, err := url.Parse(r.Origin)
	if err != nil || len(hosts) == 0 {
		return true
	}
	return !strings.EqualFold(origin.Host, hosts[0])
}
