package bench

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"example.org/comet/cmd/internal/report"
	"example.org/comet/cmd/internal/result"
	"example.org/comet/memlog/series"
	"example.org/comet/plots"
)

// The files in the folder, besides result.json.
const (
	memLog    = "mem.log"
	floodLog  = "flood.log"
	picture   = "mem.png"
	benchFile = "bench.txt"
	pageFile  = "report.html"
)

// writeFolder writes everything that is made of the result. bench.txt has a line for
// each of the runs.
func writeFolder(folder string, r *result.Result, with report.Extras, runs ...*result.Result) error {
	var bench, page bytes.Buffer
	with.Files = filesOf(folder, memLog, floodLog, picture)
	err := errors.Join(r.Write(folder), result.WriteBench(&bench, runs...), report.Write(&page, r, with))
	for name, content := range map[string][]byte{benchFile: bench.Bytes(), pageFile: page.Bytes()} {
		err = errors.Join(err, result.WriteFile(filepath.Join(folder, name), content))
	}
	if err != nil {
		return fmt.Errorf("bench: the results are not complete: %w", err)
	}
	return nil
}

// filesOf reads those of the files that are there.
func filesOf(folder string, names ...string) (files []report.File) {
	for _, name := range names {
		if content, err := os.ReadFile(filepath.Join(folder, name)); err == nil {
			files = append(files, report.File{Name: name, Content: content})
		}
	}
	return files
}

// readSamples reads a memory log, as far as it can be read.
func readSamples(path string) []series.Sample {
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer file.Close()
	samples, _, _ := series.ReadAll(file, memLog) // bad lines are left out
	return samples
}

// drawMemory draws the article's picture from the memory log, with the phases of the
// timeline if there is one. A run that ended before there were two samples has none.
func drawMemory(folder, title string, samples []series.Sample, timeline *result.Timeline) error {
	log := &plots.Log{Name: memLog}
	for _, s := range samples {
		log.Add(s)
	}
	cfg := plots.Config{Title: title, Plain: true, Logs: []*plots.Log{log}}
	if timeline != nil {
		for _, s := range timeline.Phases() {
			cfg.Phases = append(cfg.Phases, plots.Band{Name: s.Phase, From: timeline.Started + s.From, To: timeline.Started + s.To})
		}
	}
	err := plots.WriteFile(filepath.Join(folder, picture), cfg)
	if errors.Is(err, plots.ErrNoData) {
		return nil
	}
	return err
}

// title returns the heading of the picture.
func title(p *plan) string {
	title := fmt.Sprintf("Mem usage with %d active connections", p.connections)
	if p.rate.Unpaced() {
		return title + ", as many messages as can be"
	}
	if p.rate > 0 {
		return title + ", " + p.rate.String() + " msg/sec"
	}
	return title
}
