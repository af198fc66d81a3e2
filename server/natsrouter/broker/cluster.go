//go:build !nonats

package broker

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// clusterSettles is how long routes come and go when a router does: there are
// several to each.
const clusterSettles = 500 * time.Millisecond

// reportCluster logs which routers there are whenever that has changed, until ctx
// ends.
func (b *Broker) reportCluster(ctx context.Context) {
	var known []string
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.log.routes:
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(clusterSettles):
		}
		if up := b.peers(false); !slices.Equal(up, known) {
			b.cfg.Logger.Info("the cluster has changed", "other_routers", len(up), "names", strings.Join(up, " "))
			known = up
		}
	}
}

// ready reports whether clients may be sent here, and why not. A router that was
// asked to join others is not ready before it has: what its clients publish
// would not reach the clients of the others. While it has one other, asked for or
// not, it stays ready, or the loss of one router would take all of them from
// their clients.
func (b *Broker) ready() (sentence string, ok bool) {
	if b.draining.Load() {
		return "draining", false
	}
	asked := b.otherRoutes()
	if len(asked) == 0 {
		return "ready", true
	}
	if len(b.peers(false)) == 0 {
		return fmt.Sprintf("not ready: no route is up to any of the routers asked for with --routes (%s); routers reach each other at their --cluster-listen and have the same credentials", strings.Join(asked, ", ")), false
	}
	if up := b.peers(true); len(up) < len(asked) {
		return fmt.Sprintf("ready, but %d of the %d routers asked for with --routes (%s) are up", len(up), len(asked), strings.Join(asked, ", ")), true
	}
	return "ready", true
}

// otherRoutes returns the routes asked for without those that lead to this router
// itself: people give all routers of a cluster the same list.
func (b *Broker) otherRoutes() []string {
	own, ok := b.ClusterAddr().(*net.TCPAddr)
	if !ok {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(b.cfg.Routes), func(text string) bool {
		route, err := routeURL(text, "", "")
		return err == nil && route.Port() == strconv.Itoa(own.Port) && isThisHost(route.Hostname(), own.IP)
	})
}

// isThisHost reports whether host is surely this one, whose listener has ip. It
// asks no name server: a count in a sentence is not worth that.
func isThisHost(host string, ip net.IP) bool {
	if name, err := os.Hostname(); err == nil {
		// Such as comet-router-0.comet-router for the host comet-router-0.
		if first, _, _ := strings.Cut(host, "."); strings.EqualFold(host, name) || strings.EqualFold(first, name) {
			return true
		}
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	other := net.ParseIP(host)
	if other == nil {
		return false
	}
	if !ip.IsUnspecified() {
		return other.Equal(ip)
	}
	if other.IsLoopback() {
		return true
	}
	all, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	return slices.ContainsFunc(all, func(a net.Addr) bool {
		network, ok := a.(*net.IPNet)
		return ok && network.IP.Equal(other)
	})
}

func joinAddress(ip string, port int) string { return net.JoinHostPort(ip, strconv.Itoa(port)) }
