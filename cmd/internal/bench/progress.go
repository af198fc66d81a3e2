package bench

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// progress shows a person what happens: on a terminal one line that is redrawn,
// elsewhere a line now and then. It is safe for concurrent use.
type progress struct {
	mu       sync.Mutex
	w        io.Writer
	terminal bool
	drawn    bool // the last line is one to be redrawn
	last     time.Time
}

// quietInterval is how often progress is printed where it cannot be redrawn.
const quietInterval = 10 * time.Second

// line prints a line that stays.
func (p *progress) line(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
	fmt.Fprintf(p.w, format+"\n", args...)
	p.last = time.Now()
}

// update shows how far a phase is: a fraction from 0 to 1, and live figures.
func (p *progress) update(phase string, fraction float64, format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	figures := fmt.Sprintf(format, args...)
	if !p.terminal {
		if time.Since(p.last) >= quietInterval {
			p.last = time.Now()
			fmt.Fprintf(p.w, "  %s: %s\n", phase, figures)
		}
		return
	}
	p.erase()
	const width = 24
	full := int(min(max(fraction, 0), 1) * width)
	fmt.Fprintf(p.w, "%-8s [%s%s] %s", phase, strings.Repeat("#", full), strings.Repeat(".", width-full), figures)
	p.drawn = true
}

// erase removes the redrawn line: carriage return, and erase to the end of the
// line (ECMA-48, EL).
func (p *progress) erase() {
	if p.drawn {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.drawn = false
	}
}
