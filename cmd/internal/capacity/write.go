package capacity

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"

	"example.org/comet/cmd/internal/result"
	"example.org/comet/plots"
)

// The files of a search, besides capacity.json.
const (
	curve  = "capacity.png"
	report = "report.html"
)

// write writes everything that is made of what was found. A search without a step
// leaves no curve.
func write(folder string, c *result.Capacity, command []string) error {
	err := plots.WriteScale(filepath.Join(folder, curve), c.Drawing())
	if errors.Is(err, plots.ErrNoData) {
		err = nil
	}
	var page bytes.Buffer
	err = errors.Join(err, c.Write(folder), c.WriteHTML(&page, result.Extras{Command: command}), result.WriteFile(filepath.Join(folder, report), page.Bytes()))
	if err != nil {
		return fmt.Errorf("capacity: the results are not complete: %w", err)
	}
	return nil
}
