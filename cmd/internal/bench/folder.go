package bench

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"example.org/comet/cmd/internal/result"
)

// reports is where folders are made unless one is named.
const reports = "comet-report"

// makeFolder makes the folder for the results of a site, and returns its path.
func (c *Config) makeFolder(label string, now time.Time) (string, error) {
	if c.Out == "" {
		return c.makeReport(label, now)
	}
	entries, err := os.ReadDir(c.Out)
	switch {
	case err == nil && len(entries) > 0 && !c.Force:
		return "", fmt.Errorf("bench: %s is not empty: name another folder with --out, or --force to write into it", c.Out)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
	default:
		err = os.MkdirAll(c.Out, 0o755)
	}
	if err != nil {
		return "", fmt.Errorf("bench: the results cannot be written: %w", err)
	}
	return c.Out, nil
}

// makeReport makes a folder of the run's own below reports. Of runs that begin in the
// same second the later ones get a number.
func (c *Config) makeReport(label string, now time.Time) (string, error) {
	name := fmt.Sprintf("%s-%s-%d", now.Format("20060102-150405"), label, c.Connections)
	if len(c.Steps) > 0 {
		name = fmt.Sprintf("%s-%s-%d-to-%d", now.Format("20060102-150405"), label, c.Steps[0], c.Steps[len(c.Steps)-1])
	}
	path := filepath.Join(reports, name)
	err := os.MkdirAll(reports, 0o755)
	if err == nil {
		err = os.Mkdir(path, 0o755)
	}
	for n := 2; errors.Is(err, fs.ErrExist); n++ {
		path = filepath.Join(reports, fmt.Sprintf("%s-%d", name, n))
		err = os.Mkdir(path, 0o755)
	}
	if err != nil {
		return "", fmt.Errorf("bench: the results cannot be written: %w", err)
	}
	linkLatest(path)
	return path, nil
}

// runFiles are what a run leaves in its folder.
var runFiles = []string{memLog, floodLog, picture, benchFile, pageFile, result.FileName, result.TimelineFileName}

// removeFiles removes what an older run left in a folder: logs are appended to,
// and its lines and its picture are not this run's.
func removeFiles(folder string) error {
	for _, name := range runFiles {
		if err := os.Remove(filepath.Join(folder, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("bench: an older result cannot be replaced: %w", err)
		}
	}
	return nil
}

// linkLatest points comet-report/latest to the newest folder, where links are
// allowed.
func linkLatest(path string) {
	link := filepath.Join(reports, "latest")
	if info, err := os.Lstat(link); err == nil && info.Mode()&fs.ModeSymlink == 0 {
		return // somebody's own
	}
	_ = os.Remove(link)
	_ = os.Symlink(filepath.Base(path), link)
}
