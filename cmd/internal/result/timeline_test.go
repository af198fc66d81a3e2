package result_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"example.org/comet/cmd/internal/result"
)

func TestTimeline(t *testing.T) {
	folder := t.TempDir()
	if got, err := result.ReadTimeline(folder); got != nil || err != nil {
		t.Errorf("of an empty folder: %v, %v", got, err)
	}
	line := &result.Timeline{Started: 1_700_000_000.5, Moments: []result.Moment{
		{Seconds: 1, Phase: "start"},
		{Seconds: 2, Phase: "connect", Connected: result.Of(10)},
		{Seconds: 3, Phase: "connect", Connected: result.Of(20), CPU: map[string]result.Figure{"server": result.Of(0.5)}},
		{Seconds: 4, Phase: "idle"},
	}}
	if err := line.Write(folder); err != nil {
		t.Fatal(err)
	}
	got, err := result.ReadTimeline(folder)
	if err != nil || !reflect.DeepEqual(got, line) {
		t.Errorf("read %+v, %v", got, err)
	}
	want := []result.Span{{"start", 1, 1}, {"connect", 1, 3}, {"idle", 3, 4}}
	if phases := got.Phases(); !reflect.DeepEqual(phases, want) {
		t.Errorf("phases %v, want %v", phases, want)
	}
}

// TestTimelineThatIsNone: where there is none, none is written; a file that is not one is
// named.
func TestTimelineThatIsNone(t *testing.T) {
	folder := t.TempDir()
	if err := (*result.Timeline)(nil).Write(folder); err != nil {
		t.Error(err)
	}
	if entries, err := os.ReadDir(folder); len(entries) > 0 || err != nil {
		t.Errorf("without a timeline it wrote %v, %v", entries, err)
	}
	if err := os.WriteFile(filepath.Join(folder, result.TimelineFileName), []byte("[]"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := result.ReadTimeline(folder); err == nil || !strings.Contains(err.Error(), "timeline.json in "+folder+" is not a timeline") {
		t.Errorf("of another file: %v", err)
	}
}
