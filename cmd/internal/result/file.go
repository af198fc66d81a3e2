package result

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// FileName is what a result is called in the folder of its experiment.
const FileName = "result.json"

// Limits is a list that is never null.
type Limits []Limit

// MarshalJSON writes an empty list as such.
func (l Limits) MarshalJSON() ([]byte, error) {
	if l == nil {
		l = Limits{}
	}
	return json.Marshal([]Limit(l))
}

// Write writes r as result.json into folder, at once or not at all.
func (r *Result) Write(folder string) error {
	r.Schema = Schema
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("result: cannot write the result as JSON: %w", err)
	}
	return writeFile(filepath.Join(folder, FileName), append(text, '\n'))
}

// writeFile replaces path by a file that is complete, so that a reader never
// finds half of one.
func writeFile(path string, text []byte) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), ".*.tmp")
	if err != nil {
		return fmt.Errorf("result: cannot write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name()) // what matters is err
		}
	}()
	_, err = file.Write(text)
	// CreateTemp makes files for the owner only; a report is there to be shared.
	err = errors.Join(err, file.Chmod(0o644), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("result: cannot write %s: %w", path, err)
	}
	return nil
}

// Read reads a result.json, or that of a folder.
func Read(path string) (Result, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, FileName)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return Result{}, fmt.Errorf("result: there is no result in %s: name a folder that comet bench has written: %w", path, err)
		}
		return Result{}, fmt.Errorf("result: %w", err)
	}
	var r Result
	if err := json.Unmarshal(text, &r); err != nil {
		return Result{}, fmt.Errorf("result: %s is not a result: %w", path, err)
	}
	switch {
	case r.Schema == 0:
		return Result{}, fmt.Errorf("result: %s is not a result: it has no schema", path)
	case r.Schema > Schema:
		return Result{}, fmt.Errorf("result: %s has schema %d, this comet reads up to %d: read it with the comet that wrote it", path, r.Schema, Schema)
	}
	return r, nil
}
