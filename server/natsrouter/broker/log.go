//go:build !nonats

package broker

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// natsLog takes the log of the NATS server. Little of it is for a person: lines
// about one connection are debug detail, except that a client was cut off for
// being slow, or not let in. Those are logged now and then, with a count.
type natsLog struct {
	log   *slog.Logger
	debug bool
	// fatal has the reason why the server does not start, for which it would end
	// the process.
	fatal chan error
	// routes has a token when a route came or went.
	routes          chan struct{}
	slow, out, away repeated
}

// sayAgain is how long the same trouble of other clients is only counted.
const sayAgain = 10 * time.Second

func newNATSLog(log *slog.Logger) *natsLog {
	return &natsLog{
		log:    log,
		debug:  log.Enabled(context.Background(), slog.LevelDebug),
		fatal:  make(chan error, 1),
		routes: make(chan struct{}, 1),
	}
}

func (l *natsLog) Noticef(format string, v ...any) {
	switch {
	case strings.Contains(format, "Slow Consumer Detected"), strings.Contains(format, "Slow Consumer %s"):
		if times := l.slow.due(time.Now()); times > 0 {
			l.log.Warn("a client did not read fast enough and was cut off", "times", times, "nats_says", fmt.Sprintf(format, v...))
			return
		}
	case strings.Contains(format, "Route connection created"), strings.Contains(format, "connection closed"):
		select {
		case l.routes <- struct{}{}:
		default:
		}
	}
	l.Debugf(format, v...)
}

func (l *natsLog) Warnf(format string, v ...any) {
	// Credentials are compared as they are, so their file is what to protect.
	if aboutClient(format) || strings.HasPrefix(format, "Plaintext passwords") {
		l.Debugf(format, v...)
		return
	}
	l.log.Warn("the NATS server warns", "nats_says", fmt.Sprintf(format, v...))
}

func (l *natsLog) Errorf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	switch {
	case strings.Contains(text, "authentication error"):
		if times := l.out.due(time.Now()); times > 0 {
			l.log.Warn("a client or router was not let in: check its credentials", "times", times, "nats_says", text)
			return
		}
		l.Debugf("%s", text)
	case strings.HasPrefix(text, "Error trying to connect to route"):
		// There are several connections to each router.
		if times := l.away.due(time.Now()); times > 0 {
			l.log.Warn("another router is unreachable; connecting goes on", "times", times, "nats_says", text)
			return
		}
		l.Debugf("%s", text)
	case aboutClient(format):
		l.Debugf("%s", text)
	default:
		l.log.Warn("the NATS server reports an error", "nats_says", text)
	}
}

// Fatalf hands the reason to listening, which shuts the server down.
func (l *natsLog) Fatalf(format string, v ...any) {
	var cause error
	for _, arg := range v {
		if err, ok := arg.(error); ok {
			cause = err // with its type, which the text has not
		}
	}
	if cause == nil {
		cause = fmt.Errorf(format, v...)
	}
	select {
	case l.fatal <- cause:
	default:
		l.log.Error("the NATS server reports an error", "nats_says", fmt.Sprintf(format, v...))
	}
}

func (l *natsLog) Debugf(format string, v ...any) {
	if l.debug {
		l.log.Debug("the NATS server", "nats_says", fmt.Sprintf(format, v...))
	}
}

func (l *natsLog) Tracef(string, ...any) {}

// aboutClient reports whether a line is about one client: NATS puts the client's
// number before it.
func aboutClient(format string) bool { return strings.Contains(format, "cid:") }

// repeated is a problem that is logged once and then counted for a while.
type repeated struct {
	mu    sync.Mutex
	said  time.Time
	times int
}

// due counts one more and returns how many there were since the last log line, 0
// if it is too early for another.
func (r *repeated) due(now time.Time) (times int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.times++
	if now.Sub(r.said) < sayAgain {
		return 0
	}
	times, r.times, r.said = r.times, 0, now
	return times
}
