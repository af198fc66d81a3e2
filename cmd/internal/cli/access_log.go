package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// accessLog is where the access log of a server goes: standard output, or a file
// that is opened again when a signal asks for it.
type accessLog struct {
	env    *Env
	path   string
	forget func()

	mu  sync.Mutex
	out io.Writer
}

// openAccessLog opens the log at path, standard output for "-", nil for "".
func openAccessLog(env *Env, path string) (*accessLog, error) {
	l := &accessLog{env: env, path: path, out: env.Stdout, forget: func() {}}
	switch path {
	case "":
		return nil, nil
	case "-":
		return l, nil
	}
	if err := l.Reopen(); err != nil {
		return nil, err
	}
	l.forget = env.OnReopen(l.Reopen)
	return l, nil
}

// Reopen opens the path again and closes what was open before. After an error
// the log goes on as it was.
func (l *accessLog) Reopen() error {
	f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return fmt.Errorf("the access log: %w", err)
	}
	l.mu.Lock()
	before := l.out
	l.out = f
	l.mu.Unlock()
	if c, ok := before.(*os.File); ok {
		return c.Close()
	}
	return nil
}

// Write implements [io.Writer].
func (l *accessLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(p)
}

func (l *accessLog) close() {
	l.forget()
	l.mu.Lock()
	defer l.mu.Unlock()
	if c, ok := l.out.(*os.File); ok && l.path != "-" {
		if err := c.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			l.env.Logger().Error("the access log may not be complete", "error", err)
		}
	}
}
