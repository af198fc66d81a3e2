//go:build system

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.org/comet/server/wire"
)

// chaosHost is where a part runs: a network namespace, or this machine.
type chaosHost struct {
	namespace string // "" is that of the test
	address   string
	host      *host // nil without a cable that can be cut
}

// chaosHosts returns a host for all but one front end, and one for that, with a cable
// between them. Without root both are this machine, and no cable can be cut.
func chaosHosts(t *testing.T) (here, far chaosHost) {
	t.Helper()
	if _, err := exec.LookPath("ip"); os.Geteuid() != 0 || err != nil {
		address := someAddress()
		return chaosHost{address: address}, chaosHost{address: address}
	}
	n := newNetwork(t)
	a, b := n.host(t, "here"), n.host(t, "far")
	return chaosHost{a.name, a.address, nil}, chaosHost{b.name, b.address, b}
}

// start runs comet there.
func (h chaosHost) start(t *testing.T, args ...string) (*exec.Cmd, *output) {
	t.Helper()
	if h.namespace == "" {
		return background(t, "comet", args...)
	}
	return background(t, "ip", append([]string{"netns", "exec", h.namespace, "comet"}, args...)...)
}

// dial connects from there: a socket belongs to the namespace of the thread that makes it.
func (h chaosHost) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if h.namespace == "" {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	own, err := os.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()))
	if err != nil {
		return nil, err
	}
	defer own.Close()
	other, err := os.Open(filepath.Join("/run/netns", h.namespace))
	if err != nil {
		return nil, err
	}
	defer other.Close()
	if err := unix.Setns(int(other.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, os.NewSyscallError("setns", err)
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if back := unix.Setns(int(own.Fd()), unix.CLONE_NEWNET); back != nil {
		panic(back) // the thread is of no use to anybody else
	}
	return conn, err
}

// chaosPart is a broker or a front end, which is started again where it was.
type chaosPart struct {
	chaosHost
	name, listen, admin string
	args                []string
	cmd                 *exec.Cmd
	web                 *http.Client
}

func newChaosPart(name string, at chaosHost, port int, args ...string) *chaosPart {
	p := &chaosPart{chaosHost: at, name: name, listen: fmt.Sprintf("%s:%d", at.address, port), admin: fmt.Sprintf("127.0.0.1:%d", port+1), args: args}
	p.web = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DialContext: at.dial, DisableKeepAlives: true}}
	return p
}

func (p *chaosPart) run(t *testing.T) {
	t.Helper()
	var out *output
	p.cmd, out = p.start(t, append(p.args, "--json", "--listen", p.listen, "--admin", p.admin)...)
	out.await(t, `\{"type":"listening".*\}`)
}

func (p *chaosPart) ask(method, path string, body []byte) (code int, answer []byte) {
	req, err := http.NewRequest(method, "http://"+p.admin+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil
	}
	resp, err := p.web.Do(req)
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	_, err = b.ReadFrom(resp.Body)
	if err != nil {
		return 0, nil
	}
	return resp.StatusCode, b.Bytes()
}

// chaosStats is what a front end counts.
type chaosStats struct {
	Connections, Disconnected int
	AcceptPauses              int `json:"accept_pauses"`
	AccessLogDropped          int `json:"access_log_dropped"`
	DroppedClosed             int `json:"dropped_closed"`
	DroppedSlow               int `json:"dropped_slow"`
	DroppedOverrun            int `json:"dropped_overrun"`
	Router                    struct {
		DroppedSlowConsumer int `json:"dropped_slow_consumer"`
	}
}

func (p *chaosPart) stats(t *testing.T) (s chaosStats) {
	t.Helper()
	if code, body := p.ask("GET", "/stats", nil); code != http.StatusOK || json.Unmarshal(body, &s) != nil {
		t.Fatalf("%s answers /stats with %d %q", p.name, code, body)
	}
	return s
}

// chaosClient holds a stream of one id, and returns when it is lost. Each message that
// comes is entered in the ledger.
type chaosClient struct {
	host    chaosHost
	address string
	id      int
	ledger  *chaosLedger
	heard   atomic.Int64 // when the newest message was due, in unix nanoseconds
}

// hold keeps the stream until ctx ends.
func (c *chaosClient) hold(ctx context.Context) {
	for ctx.Err() == nil {
		c.once(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(100*time.Millisecond + rand.N(200*time.Millisecond)):
		}
	}
}

// chaosSilence is when a client, which gets several messages a second, gives up a stream.
const chaosSilence = 5 * time.Second

func (c *chaosClient) once(ctx context.Context) {
	dialing, cancel := context.WithTimeout(ctx, chaosSilence)
	conn, err := c.host.dial(dialing, "tcp", c.address)
	cancel()
	if err != nil {
		return
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if _, err := fmt.Fprintf(conn, "GET /events/%d HTTP/1.0\r\n\r\n", c.id); err != nil {
		return
	}
	var text []byte
	b := make([]byte, 4096)
	for {
		_ = conn.SetReadDeadline(time.Now().Add(chaosSilence)) // a closed one fails to be read
		n, err := conn.Read(b)
		text = append(text, b[:n]...)
		for {
			stamp, rest, ok := wire.FindStamp(text)
			text = rest
			if !ok {
				break
			}
			c.ledger.add(stamp)
			c.heard.Store(stamp.Due)
		}
		text = bytes.Clone(text)
		if err != nil {
			return
		}
	}
}

// startChaosClients holds a stream of each id, until stop.
func startChaosClients(clients []*chaosClient) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for _, c := range clients {
		all.Go(func() { c.hold(ctx) })
	}
	return func() {
		cancel()
		all.Wait()
	}
}

// smallDisk mounts a file system that is soon full; without root it returns a folder.
func smallDisk(t *testing.T) (folder string, small bool) {
	t.Helper()
	folder = t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=256k"); err != nil {
		return folder, false
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, unix.MNT_DETACH); err != nil && !errors.Is(err, syscall.EINVAL) {
			t.Error(err)
		}
	})
	return folder, true
}
