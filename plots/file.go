package plots

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// WriteFile draws into a file, in the format of its ending. An existing file
// is replaced in one step, so that no reader sees half a picture, and is left
// alone when drawing fails.
func WriteFile(name string, cfg Config) error {
	return writePicture(name, func(w io.Writer, format string) error { return Draw(w, format, cfg) })
}

func writePicture(name string, draw func(w io.Writer, format string) error) error {
	format, err := FormatOf(name)
	if err != nil {
		return err
	}
	var picture bytes.Buffer
	if err := draw(&picture, format); err != nil {
		return err
	}
	if err := replaceFile(name, picture.Bytes()); err != nil {
		return fmt.Errorf("plots: writing %s: %w", name, err)
	}
	return nil
}

// replaceFile writes a new file beside the old one and renames it over it. A
// symbolic link stays one; what is no regular file is written to directly.
func replaceFile(name string, content []byte) error {
	mode := fs.FileMode(0o666) // less the umask, as for any new file
	if target, err := filepath.EvalSymlinks(name); err == nil {
		name = target
	}
	old, err := os.Stat(name)
	switch {
	case err == nil && !old.Mode().IsRegular():
		return os.WriteFile(name, content, mode)
	case err == nil:
		mode = old.Mode().Perm()
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	temp := filepath.Join(filepath.Dir(name), "."+filepath.Base(name)+"."+rand.Text()[:8])
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil && old != nil {
		err = f.Chmod(mode) // past the umask
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(temp, name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return nil
}
