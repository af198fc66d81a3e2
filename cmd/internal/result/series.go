package result

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Series are the experiments of comet bench --steps.
type Series struct {
	// Name is what the user calls it: a folder or a file.
	Name string
	// Asked are the numbers of connections that were to be tried. Steps are those that
	// were, as far as any were made.
	Asked []int
	Steps []SeriesStep
}

// SeriesStep has the repeats of one number of connections.
type SeriesStep struct {
	Connections int
	Runs        Runs
}

// at returns the repeats of a number of connections.
func (s *Series) at(connections int) (runs Runs, found bool) {
	for _, step := range s.Steps {
		if step.Connections == connections {
			return step.Runs, true
		}
	}
	return Runs{}, false
}

// IsSeries reports whether path is the folder of a series, or its scale.json.
func IsSeries(path string) bool {
	_, err := os.Stat(scaleFile(path))
	return err == nil
}

func scaleFile(path string) string {
	if filepath.Base(path) == ScaleFileName {
		return path
	}
	return filepath.Join(path, ScaleFileName)
}

// ReadSeries reads the repeats of each step of a series. Folders that an older series
// left are not of it.
func ReadSeries(path string) (Series, error) {
	file := scaleFile(path)
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return Series{}, fmt.Errorf("result: there is no series in %s: name a folder that comet bench --steps has written: %w", path, err)
	}
	if err != nil {
		return Series{}, fmt.Errorf("result: %w", err)
	}
	var scale struct {
		Schema int
		Asked  []int
		Steps  []struct {
			Folder      string
			Connections struct{ Asked Figure }
		}
	}
	if err := json.Unmarshal(text, &scale); err != nil {
		return Series{}, fmt.Errorf("result: %s is not a series: %w", file, err)
	}
	if err := readable(scale.Schema, file); err != nil {
		return Series{}, err
	}
	s := Series{Name: path, Asked: scale.Asked}
	for _, step := range scale.Steps {
		n, known := step.Connections.Asked.Value()
		if !known || !filepath.IsLocal(step.Folder) {
			return Series{}, fmt.Errorf("result: %s is not a series: a step has no number of connections, or no folder in it", file)
		}
		runs, err := ReadRuns(filepath.Join(filepath.Dir(file), step.Folder))
		if err != nil {
			return Series{}, err
		}
		s.Steps = append(s.Steps, SeriesStep{int(n), runs})
	}
	return s, nil
}
