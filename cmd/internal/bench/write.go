package bench

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"example.org/comet/cmd/internal/result"
	"example.org/comet/plots"
)

// The files in the folder, besides result.json.
const (
	memLog    = "mem.log"
	floodLog  = "flood.log"
	picture   = "mem.png"
	benchFile = "bench.txt"
	report    = "report.html"
)

// writeFolder writes everything that is made of the result, beside the picture
// if there is one; bench.txt has a line for each of the runs.
func writeFolder(folder string, r *result.Result, runs ...*result.Result) error {
	var bench, page bytes.Buffer
	png, _ := os.ReadFile(filepath.Join(folder, picture))
	err := errors.Join(r.Write(folder), result.WriteBench(&bench, runs...), r.WriteHTML(&page, png))
	for name, content := range map[string][]byte{benchFile: bench.Bytes(), report: page.Bytes()} {
		err = errors.Join(err, result.WriteFile(filepath.Join(folder, name), content))
	}
	if err != nil {
		return fmt.Errorf("bench: the results are not complete: %w", err)
	}
	return nil
}

// drawMemory draws the article's picture from the memory log. A run that ended
// before there were two samples has none.
func (e *experiment) drawMemory() error {
	log := &plots.Log{Name: memLog}
	for _, s := range e.memorySamples() {
		log.Add(s)
	}
	err := plots.WriteFile(filepath.Join(e.folder, picture), plots.Config{
		Title: e.title(),
		Logs:  []*plots.Log{log},
	})
	if errors.Is(err, plots.ErrNoData) {
		return nil
	}
	return err
}

func (e *experiment) title() string {
	title := fmt.Sprintf("Mem usage with %d active connections", e.cfg.Connections)
	switch e.cfg.Rate {
	case "none":
	case "max":
		title += ", as many messages as can be"
	default:
		title += ", " + e.cfg.Rate + " msg/sec"
	}
	return title
}
