package cli

import "example.org/comet/memlog/series"

// openRunLog opens the log that a command appends to while it runs, nil for "". A
// signal reopens it until closeLog is called. what names the log in a warning.
func openRunLog(env *Env, path, what string) (log *series.Writer, closeLog func(), err error) {
	if path == "" {
		return nil, func() {}, nil
	}
	w, err := series.OpenAppend(path)
	if err != nil {
		return nil, nil, usageError{err}
	}
	forget := env.reopenLog(w)
	return w, func() {
		forget()
		if err := w.Close(); err != nil {
			env.Logger().Warn("the log may be incomplete", "log", what, "error", err)
		}
	}, nil
}
