//go:build unix

package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.org/comet/flood"
	"example.org/comet/memlog/series"
	"example.org/comet/msggen"
)

// TestLostLinesEndNoRun: a flood and a generator whose log is on a full disk, or was
// removed with its folder, say which line is lost and go on. In a folder that is made
// again the log goes on as well.
func TestLostLinesEndNoRun(t *testing.T) {
	for name, notes := range map[string]func(env *Env, path string) (note func(time.Time), closeLog func(), err error){
		"flood": func(env *Env, path string) (func(time.Time), func(), error) {
			var options floodOptions
			options.Log = path
			o, err := newFloodOutput(env, &options)
			if err != nil {
				return nil, nil, err
			}
			return func(at time.Time) { o.sample(flood.Sample{Time: at}) }, o.close, nil
		},
		"msggen": func(env *Env, path string) (func(time.Time), func(), error) {
			o, err := newMsggenOutput(env, nil, false, path)
			if err != nil {
				return nil, nil, err
			}
			return func(at time.Time) { o.note(at, msggen.Stats{}, nil) }, o.close, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			begun := time.Now()
			at := func(second int) time.Time { return begun.Add(time.Duration(second) * time.Second) }
			if _, err := os.Stat("/dev/full"); err == nil { // full(4): Linux has it
				env, _, said := testEnv(nil)
				note, closeLog, err := notes(env, "/dev/full")
				if err != nil {
					t.Fatal(err)
				}
				note(at(0))
				note(at(1))
				closeLog()
				if n := strings.Count(said.String(), "no space left on device"); n != 2 {
					t.Errorf("of two lines that a full disk did not take, it says %s", said.String())
				}
			}
			folder := filepath.Join(t.TempDir(), "logs")
			path := filepath.Join(folder, "run.log")
			makeFolder := func() {
				if err := os.Mkdir(folder, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			makeFolder()
			env, _, said := testEnv(nil)
			note, closeLog, err := notes(env, path)
			if err != nil {
				t.Fatal(err)
			}
			defer closeLog()
			note(at(0))
			if err := os.RemoveAll(folder); err != nil {
				t.Fatal(err)
			}
			note(at(1))
			if n := strings.Count(said.String(), "the log was removed and cannot be created again"); n != 1 {
				t.Errorf("of a log that was removed it says %s", said.String())
			}
			makeFolder()
			note(at(2))
			file, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			samples, malformed, err := series.ReadAll(file, path)
			if err != nil || len(malformed) > 0 || len(samples) != 1 || samples[0].Time.Unix() != at(2).Unix() {
				t.Errorf("the log that was made again has %v, malformed %v, error %v", samples, malformed, err)
			}
		})
	}
}
