package capacity

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"

	"example.org/comet/cmd/internal/report"
	"example.org/comet/cmd/internal/result"
	"example.org/comet/plots"
)

// The files of a search, besides capacity.json.
const (
	curve    = "capacity.png"
	pageFile = "report.html"
)

// write writes everything that is made of what was found. A search without a step
// leaves no curve.
func write(folder string, c *result.Capacity, command []string) error {
	err := plots.WriteScale(filepath.Join(folder, curve), report.DrawCapacity(c))
	if errors.Is(err, plots.ErrNoData) {
		err = nil
	}
	var page bytes.Buffer
	err = errors.Join(err, c.Write(folder), report.WriteCapacity(&page, c, report.Extras{Command: command}), result.WriteFile(filepath.Join(folder, pageFile), page.Bytes()))
	if err != nil {
		return fmt.Errorf("capacity: the results are not complete: %w", err)
	}
	return nil
}
