package result

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ReadRuns reads the repeats of an experiment: those of a folder of comet bench, with
// or without --repeat, or of the file that stands for it.
func ReadRuns(path string) (Runs, error) {
	folder := path
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		switch filepath.Base(path) {
		case FileName, ScaleFileName:
			folder = filepath.Dir(path)
		default:
			r, err := Read(path)
			return Runs{path, []*Result{&r}}, err
		}
	}
	if err := refuseScale(folder); err != nil {
		return Runs{}, err
	}
	all, err := readRepeats(folder)
	if err != nil {
		return Runs{}, err
	}
	whole, err := Read(folder)
	switch {
	case len(all) == 0 && err != nil:
		return Runs{}, err
	case err == nil:
		all = slices.DeleteFunc(all, func(r *Result) bool { return r.before(&whole) })
	}
	if len(all) == 0 {
		all = []*Result{&whole}
	}
	return Runs{path, all}, nil
}

// DecodeRuns reads one result from a stream of that name.
func DecodeRuns(in io.Reader, name string) (Runs, error) {
	text, err := io.ReadAll(in)
	if err != nil {
		return Runs{}, fmt.Errorf("result: %w", err)
	}
	r, err := decode(text, name)
	return Runs{name, []*Result{&r}}, err
}

// refuseScale returns an error for the folder of a series.
func refuseScale(folder string) error {
	scale := filepath.Join(folder, ScaleFileName)
	if _, err := os.Stat(scale); err != nil {
		return nil //nolint:nilerr // there is no series
	}
	hint := ""
	if steps, _ := below(folder, ""); len(steps) > 0 {
		hint = ", such as " + steps[len(steps)-1]
	}
	return fmt.Errorf("result: %s is a series of experiments: compare it with another one, or one of its steps%s", scale, hint)
}

// readRepeats reads run-1, run-2 and so on, as far as they left a result.
func readRepeats(folder string) (all []*Result, err error) {
	runs, err := below(folder, "run-")
	if err != nil {
		return nil, nil //nolint:nilerr // there is no folder, as Read says better
	}
	for _, run := range runs {
		r, err := Read(run)
		if err != nil {
			return nil, err
		}
		all = append(all, &r)
	}
	return all, nil
}

// below returns the folders in folder that hold a result and whose names are a number
// behind prefix, by that number.
func below(folder, prefix string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("result: %w", err)
	}
	numbers := make(map[string]int)
	for _, entry := range entries {
		digits, found := strings.CutPrefix(entry.Name(), prefix)
		n, err := strconv.Atoi(digits)
		path := filepath.Join(folder, entry.Name())
		if _, statErr := os.Stat(filepath.Join(path, FileName)); found && err == nil && n > 0 && statErr == nil {
			numbers[path] = n
		}
	}
	return slices.SortedFunc(maps.Keys(numbers), func(a, b string) int { return numbers[a] - numbers[b] }), nil
}

// before reports whether r is older than the result of the whole experiment, whose time
// is that of its first run: a run that an earlier experiment left in the folder.
func (r *Result) before(whole *Result) bool {
	if r.Environment == nil || whole.Environment == nil {
		return false
	}
	own, err := time.Parse(time.RFC3339, r.Environment.Time)
	other, otherErr := time.Parse(time.RFC3339, whole.Environment.Time)
	return err == nil && otherErr == nil && own.Before(other)
}
