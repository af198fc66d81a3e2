package result

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
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

// Write writes r as result.json into folder, at once or not at all. It sets
// Schema and Verdict.
func (r *Result) Write(folder string) error {
	r.Schema, r.Verdict = Schema, r.verdict()
	return writeJSON(filepath.Join(folder, FileName), r)
}

func writeJSON(path string, v any) error {
	text, err := Marshal(v, "  ")
	if err != nil {
		return fmt.Errorf("result: cannot write %s as JSON: %w", path, err)
	}
	return WriteFile(path, text)
}

// Marshal writes v and the end of a line. A target reads p99<50ms there, not
// p99\u003c50ms.
func Marshal(v any, indent string) ([]byte, error) {
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false)
	out.SetIndent("", indent)
	err := out.Encode(v)
	return b.Bytes(), err
}

// WriteFile replaces path by a file that is complete, so that a reader never
// finds half of one; on failure an older one stays as it was. The error names
// the file, and a full disk as such.
func WriteFile(path string, content []byte) error {
	temp := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+rand.Text()[:8])
	file, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666) // less the umask
	if err != nil {
		return writeError(path, err)
	}
	_, err = file.Write(content)
	err = cmp.Or(err, file.Close())
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		_ = os.Remove(temp) // what matters is err
		return writeError(path, err)
	}
	return nil
}

func writeError(path string, err error) error {
	const windowsDiskFull = syscall.Errno(112) // ERROR_DISK_FULL; on other systems no file operation has it
	for _, full := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, windowsDiskFull} {
		if errors.Is(err, full) {
			return fmt.Errorf("result: cannot write %s: the disk is full: make room there and run again: %w", path, err)
		}
	}
	return fmt.Errorf("result: cannot write %s: %w", path, err)
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
	return decode(text, path)
}

// decode reads a result out of the file, or the stream, of that name.
func decode(text []byte, path string) (Result, error) {
	var other struct {
		Asked  json.RawMessage // of a Scale
		Search json.RawMessage // of a Capacity
		Worse  json.RawMessage // of a Comparison, and of one of series
	}
	if err := json.Unmarshal(text, &other); err != nil {
		return Result{}, fmt.Errorf("result: %s is not a result: %w", path, err)
	}
	switch {
	case other.Asked != nil:
		return Result{}, fmt.Errorf("result: %s is a series of experiments: name its folder, and another one's, or compare one of its steps", path)
	case other.Search != nil:
		return Result{}, fmt.Errorf("result: %s is what comet capacity has found: compare results of comet bench", path)
	case other.Worse != nil:
		return Result{}, fmt.Errorf("result: %s is a comparison: compare the results that it is of", path)
	}
	var r Result
	if err := json.Unmarshal(text, &r); err != nil {
		return Result{}, fmt.Errorf("result: %s is not a result: %w", path, err)
	}
	if err := readable(r.Schema, path); err != nil {
		return Result{}, err
	}
	return r, nil
}

// readable returns an error for a schema that this comet cannot read.
func readable(schema int, path string) error {
	switch {
	case schema == 0:
		return fmt.Errorf("result: %s is not a result: it has no schema", path)
	case schema > Schema:
		return fmt.Errorf("result: %s has schema %d, this comet reads up to %d: read it with the comet that wrote it", path, schema, Schema)
	}
	return nil
}
