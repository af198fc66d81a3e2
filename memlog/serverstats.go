package memlog

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"example.org/comet/memlog/series"
)

const (
	// statsLead is how long before a sample the server is asked, so that its
	// answer has come when the sample is due and is of about the same moment.
	statsLead = 100 * time.Millisecond
	// statsTimeout ends a request. An answer that comes late may still count
	// for the sample after.
	statsTimeout = time.Second
	// statsFresh is the age up to which an answer counts.
	statsFresh = time.Second
	// statsFirst bounds the wait for the first answer, before the first sample.
	// No other answer is waited for.
	statsFirst = 500 * time.Millisecond
	// maxStats is the longest answer that is read, in bytes.
	maxStats = 1 << 20
)

// serverStats is what a server reports of itself.
type serverStats struct {
	connections int64
	// forced counts collections that were forced, as comet's POST /gc does;
	// Unknown if the server does not report it.
	forced int64
}

// statsURL completes a Config.StatsURL: one without a path gets /stats.
func statsURL(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", fmt.Errorf("the URL %q to ask the server at is not an http or https URL: write http://127.0.0.1:8001/stats", shown(s))
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/stats"
	}
	return u.String(), nil
}

// statsClient asks a server for its own figures over one connection that is
// kept open, and never through a proxy.
type statsClient struct {
	url, token string
	shown      string // the URL, without a password and a query, which may let somebody in
	http       http.Client
}

func newStatsClient(address, token string, secure *tls.Config) (*statsClient, error) {
	address, err := statsURL(address)
	if err != nil {
		return nil, joined([]error{err})
	}
	return &statsClient{
		url: address, token: token, shown: shown(address),
		http: http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1, TLSClientConfig: secure.Clone()}},
	}, nil
}

// shown returns a URL, which need not be a valid one, for a message: without its user
// and its query.
func shown(address string) string {
	address, _, _ = strings.Cut(address, "?")
	scheme, rest, found := strings.Cut(address, "//")
	if !found {
		return address
	}
	authority, path, _ := strings.Cut(rest, "/")
	return scheme + "//" + authority[strings.LastIndexByte(authority, '@')+1:] + "/" + path
}

func (c *statsClient) close() { c.http.CloseIdleConnections() }

func (c *statsClient) ask(ctx context.Context) (serverStats, error) {
	connected := false
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected = true }})
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url, http.NoBody)
	if err != nil {
		return serverStats{}, fmt.Errorf("memlog: %w", err)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return serverStats{}, unasked(c.shown, connected, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxStats))
	if err != nil {
		return serverStats{}, unasked(c.shown, connected, err)
	}
	if resp.StatusCode != http.StatusOK {
		return serverStats{}, refused(c.shown, resp)
	}
	stats, err := parseStats(body)
	if err != nil {
		return serverStats{}, fmt.Errorf("memlog: %s: %w: give the URL of a comet server's /stats, on its admin listener", c.shown, err)
	}
	return stats, nil
}

var errNoCount = errors.New(`the answer is no JSON object with a whole number of "connections"`)

func parseStats(body []byte) (serverStats, error) {
	var answer struct {
		Connections       *float64 `json:"connections"` // some print 10000.0 or 1e4
		CollectionsForced *float64 `json:"collections_forced"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return serverStats{}, fmt.Errorf("%w: %w", errNoCount, err)
	}
	connections, ok := wholeNumber(answer.Connections)
	if !ok {
		return serverStats{}, errNoCount
	}
	forced, ok := wholeNumber(answer.CollectionsForced)
	if !ok {
		forced = series.Unknown
	}
	return serverStats{connections, forced}, nil
}

func wholeNumber(f *float64) (int64, bool) {
	if f == nil || !(*f >= 0 && *f < 1<<53) || *f != float64(int64(*f)) {
		return 0, false
	}
	return int64(*f), true
}

// statsPoller asks in a goroutine of its own, a moment before each sample.
type statsPoller struct {
	ask  func(context.Context) (serverStats, error)
	due  chan time.Time // when the next sample is; the newest counts
	stop context.CancelFunc
	done sync.WaitGroup

	mu     sync.Mutex
	latest serverStats
	err    error     // of the latest answer
	came   time.Time // when the latest answer came

	forced int64 // at the sample before; of the goroutine that samples
}

// startStats asks once, because the first sample is due at once, and then
// begins to ask for further samples. Call end when done.
func startStats(ctx context.Context, ask func(context.Context) (serverStats, error)) *statsPoller {
	ctx, stop := context.WithCancel(ctx)
	p := &statsPoller{ask: ask, due: make(chan time.Time, 1), stop: stop, forced: series.Unknown}
	p.poll(ctx, statsFirst)
	p.done.Go(func() { p.run(ctx) })
	return p
}

func (p *statsPoller) end() {
	p.stop()
	p.done.Wait()
}

// before tells the poller when the next sample is due, an interval after the last.
func (p *statsPoller) before(due time.Time, interval time.Duration) {
	at := due.Add(-min(statsLead, interval/2))
	for {
		select {
		case p.due <- at:
			return
		default:
		}
		select { // a slow request: the moment before was not taken yet
		case <-p.due:
		default:
		}
	}
}

func (p *statsPoller) run(ctx context.Context) {
	for {
		var at time.Time
		select {
		case <-ctx.Done():
			return
		case at = <-p.due:
		}
		timer := time.NewTimer(time.Until(at))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		p.poll(ctx, statsTimeout)
	}
}

func (p *statsPoller) poll(ctx context.Context, timeout time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	stats, err := p.ask(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.latest, p.err, p.came = stats, err, time.Now()
}

// fields returns the columns for a sample of now, and why the count is unknown.
func (p *statsPoller) fields(now time.Time) ([]series.Field, error) {
	p.mu.Lock()
	stats, err, came := p.latest, p.err, p.came
	p.mu.Unlock()
	if age := now.Sub(came); err == nil && age > statsFresh {
		err = fmt.Errorf("memlog: the server did not answer in time: its last count is %v old", age.Round(time.Millisecond))
	}
	if err != nil {
		return []series.Field{{Key: "server_conns", Value: "-"}}, err
	}
	fields := []series.Field{{Key: "server_conns", Value: strconv.FormatInt(stats.connections, 10)}}
	// A lower count comes from a server that was started anew.
	if p.forced != series.Unknown && stats.forced > 0 && stats.forced != p.forced {
		fields = append(fields, series.Field{Key: eventKey, Value: "gc"})
	}
	if stats.forced != series.Unknown {
		p.forced = stats.forced
	}
	return fields, nil
}
