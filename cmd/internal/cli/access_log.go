package cli

import (
	"errors"
	"io"
	"os"

	"example.org/comet/server"
)

// openAccessLog opens the log at path, standard output for "-", nil for "". It
// opens a file again when a signal asks for it.
func openAccessLog(env *Env, path string) (log io.Writer, closeLog func(), err error) {
	switch path {
	case "":
		return nil, func() {}, nil
	case "-":
		return env.Stdout, func() {}, nil
	}
	file, err := server.OpenLogFile(path)
	if err != nil {
		return nil, nil, err
	}
	forget := env.OnReopen(file.Reopen)
	return file, func() {
		forget()
		if err := file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			env.Logger().Error("the access log may not be complete", "error", err)
		}
	}, nil
}
