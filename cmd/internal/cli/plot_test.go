package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const threeLines = "Mon Oct 20 16:57:24 BST 2008 1224518244 40388 1\n" +
	"Mon Oct 20 16:58:25 BST 2008 1224518305 41120 263\n" +
	"Mon Oct 20 16:59:27 BST 2008 1224518367 65252 5267\n"

// What comet flood and comet msggen log of the same seconds.
const (
	floodLines = "Mon Oct 20 16:57:24 BST 2008\t1224518244\t-\t10\tconnected=10\tclosed=0\tchunks=0\tp50_ms=-\tp99_ms=-\n" +
		"Mon Oct 20 16:57:25 BST 2008\t1224518245\t-\t10\tconnected=10\tclosed=0\tchunks=1000\tp50_ms=0.4\tp99_ms=1.2\n" +
		"Mon Oct 20 16:57:26 BST 2008\t1224518246\t-\t10\tconnected=10\tclosed=0\tchunks=2000\tp50_ms=0.4\tp99_ms=1.2\tevent=gc\n"
	genLines = "Mon Oct 20 16:57:24 BST 2008\t1224518244\t-\t-\tasked=0\tsent=0\trefused=0\tlate_p50_ms=-\tlate_p99_ms=-\n" +
		"Mon Oct 20 16:57:25 BST 2008\t1224518245\t-\t-\tasked=1000\tsent=990\trefused=10\tlate_p50_ms=0.05\tlate_p99_ms=0.2\n" +
		"Mon Oct 20 16:57:26 BST 2008\t1224518246\t-\t-\tasked=2000\tsent=1980\trefused=20\tlate_p50_ms=0.05\tlate_p99_ms=0.2\n"
)

// plot runs the command in a folder with good.log, bad.log (its second line is
// malformed, its last cut), empty.log and old.png.
func plot(t *testing.T, stdin string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"good.log":  threeLines,
		"bad.log":   strings.Replace(threeLines, "41120", "4112O", 1) + "Mon Oct 20 17:00",
		"empty.log": "",
		"flood.log": floodLines,
		"gen.log":   genLines,
		"old.png":   "old",
	} {
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	env, out, errs := testEnv(strings.NewReader(stdin))
	if code := Run(t.Context(), env, append([]string{"plot"}, args...)); code != exitDone {
		err = errors.Join(errors.New(errs.String()), reported(code))
	}
	return out.String(), errs.String(), err
}

func TestPlotDraws(t *testing.T) {
	tests := []struct {
		name   string
		stdin  string
		args   []string
		file   string // "" = standard output
		begins string
		holds  []string
		stderr string
	}{
		{"png", "", []string{"-o", "mem.png", "good.log"}, "mem.png", "\x89PNG", nil, ""},
		{"over an old one", "", []string{"--out", "old.png", "good.log"}, "old.png", "\x89PNG", nil, ""},
		{"svg", "", []string{"-o", "mem.svg", "good.log"}, "mem.svg", "<?xml", []string{"Mem usage with up to 5,267 connections", `width="375pt"`}, ""},
		{"pdf", "", []string{"-o", "mem.pdf", "good.log"}, "mem.pdf", "%PDF-", nil, ""},
		{"title and size", "", []string{"-o", "mem.svg", "--title", "My title", "--size", "600x450", "good.log"}, "mem.svg", "<?xml", []string{">My title<", `width="450pt"`, ">Connections<"}, ""},
		{"no title", "", []string{"-o", "mem.svg", "--title", "", "good.log"}, "mem.svg", "<?xml", []string{">Mem (KB), not from 0<"}, ""},
		{"several", "", []string{"-o", "mem.svg", "--label", "before", "--label", "after", "--align", "clock", "good.log", "good.log"}, "mem.svg", "<?xml", []string{">before<", ">after<"}, ""},
		{"flood", "", []string{"-o", "mem.svg", "flood.log"}, "mem.svg", "<?xml", []string{`height="450pt"`, ">Connections, not from 0<", ">Chunks/s<", ">Latency (ms)<", ">p99<", ">gc<"}, ""},
		{"msggen", "", []string{"-o", "mem.svg", "gen.log"}, "mem.svg", "<?xml", []string{">Messages/s<", ">asked<", ">refused<", ">Sent late (ms)<"}, ""},
		{"a whole run", floodLines, []string{"-o", "mem.svg", "good.log", "-", "gen.log"}, "mem.svg", "<?xml", []string{">Mem (KB), not from 0<", ">Messages/s<", ">Latency (ms)<", ">standard input<"}, ""},
		{"the article's units", "", []string{"-o", "mem.svg", "--units", "article", "good.log"}, "mem.svg", "<?xml", []string{">Minutes Elapsed<", ">Mem (KB), not from 0<"}, ""},
		{"from and to the streams", threeLines, []string{"-o", "-", "--format", "svg", "-"}, "", "<?xml", nil, ""},
		{"malformed lines are skipped", "", []string{"-o", "mem.png", "bad.log"}, "mem.png", "\x89PNG", nil, "bad.log:2: "},
		{"a cut line too", "", []string{"-o", "mem.png", "bad.log"}, "mem.png", "\x89PNG", nil, "bad.log: the last line does not end in a newline"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, stderr, err := plot(t, tt.stdin, tt.args...)
			if err != nil {
				t.Fatal(err)
			}
			if tt.file != "" {
				if got != "" {
					t.Errorf("standard output holds %q", got)
				}
				b, err := os.ReadFile(tt.file)
				if err != nil {
					t.Fatal(err)
				}
				got = string(b)
			}
			if !strings.HasPrefix(got, tt.begins) {
				t.Errorf("the picture begins with %.20q", got)
			}
			for _, part := range tt.holds {
				if !strings.Contains(got, part) {
					t.Errorf("the picture lacks %q", part)
				}
			}
			if (stderr == "") != (tt.stderr == "") || !strings.Contains(stderr, tt.stderr) {
				t.Errorf("standard error is %q, want %q", stderr, tt.stderr)
			}
		})
	}
}

// TestPlotGrowth asks whether it is leaking.
func TestPlotGrowth(t *testing.T) {
	lines := func(kilobytes, connections, files int) string { // more with each line
		var b strings.Builder
		for i := range 100 {
			fmt.Fprintf(&b, "-\t%d\t%d\t%d\tpid=1\tfds=%d\n", 1_700_000_000+60*i, 40_000+i*kilobytes, 1000+i*connections, 1010+i*files)
		}
		return b.String()
	}
	level := func(figure, value, zero string) string {
		return fmt.Sprintf("%-12s %12s %12s %14s %12s  level\n", figure, value, value, zero, zero)
	}
	head := fmt.Sprintf("standard input, the last 1h14m0s:\n%-12s %12s %12s %14s %12s\n", "", "from", "to", "in an hour", "scatter")
	for _, c := range []struct{ name, log, want string }{
		{"level", lines(0, 0, 0), head + level("memory", "39.1 MiB", "0 B") + level("connections", "1,000", "0") + level("open files", "1,010", "0") + "Nothing grows beyond its scatter.\n"},
		{"memory", lines(100, 0, 0), "memory           41.5 MiB     48.7 MiB        5.9 MiB          0 B  rises\n" + level("connections", "1,000", "0") + level("open files", "1,010", "0") + "That is a leak"},
		{"memory falls", lines(-100, 0, 0), "       -5.9 MiB          0 B  falls\n"},
		{"files", lines(0, 0, 1), "rises\nThat is a leak"},
		{"connections", lines(100, 10, 10), "rises\nThere are more and more connections"},
	} {
		out, stderr, err := plot(t, c.log, "--growth", "-")
		if err != nil || stderr != "" || !strings.Contains(out, c.want) {
			t.Errorf("%s: %v, %q:\n%swant\n%s", c.name, err, stderr, out, c.want)
		}
	}
	short := strings.Join(strings.SplitAfter(lines(100, 0, 0), "\n")[:40], "") // 39 minutes, of which three quarters are less
	if out, _, err := plot(t, short, "--growth", "-"); err != nil || !strings.Contains(out, "MiB              -") || !strings.Contains(out, "too short to tell a leak") || strings.Contains(out, "That is a leak") {
		t.Errorf("a short log: %v, %s", err, out)
	}
	if out, _, err := plot(t, lines(0, 0, 0), "--growth", "-o", "mem.png", "-"); err != nil || !strings.HasPrefix(out, head) {
		t.Errorf("with a picture: %v, %q", err, out)
	} else if _, err := os.Stat("mem.png"); err != nil {
		t.Error(err)
	}
}

func TestPlotRefuses(t *testing.T) {
	tests := []struct {
		name string
		args []string
		code int
		want string
	}{
		{"no log", []string{"-o", "old.png"}, exitUsage, "takes the logs to draw"},
		{"no out", []string{"good.log"}, exitUsage, "write --out"},
		{"ending", []string{"-o", "mem.gif", "good.log"}, exitUsage, ".png nor in .svg nor in .pdf"},
		{"stdout without format", []string{"-o", "-", "good.log"}, exitUsage, "needs --format"},
		{"unknown format", []string{"-o", "-", "--format", "gif", "good.log"}, exitUsage, `"gif" is unknown: use png, svg or pdf`},
		{"format of a file", []string{"-o", "old.png", "--format", "svg", "good.log"}, exitUsage, "--format is for --out -"},
		{"size", []string{"-o", "old.png", "--size", "big", "good.log"}, exitUsage, "write 500x300"},
		{"too small", []string{"-o", "old.png", "--size", "20x30", "good.log"}, exitUsage, "width of 20 pixels"},
		{"alignment", []string{"-o", "old.png", "--align", "left", "good.log"}, exitUsage, "start or clock"},
		{"units", []string{"-o", "old.png", "--units", "MB", "good.log"}, exitUsage, "auto or article"},
		{"labels", []string{"-o", "old.png", "--label", "a", "--label", "b", "good.log"}, exitUsage, "2 labels for 1 logs"},
		{"stdin twice", []string{"-o", "old.png", "-", "-"}, exitUsage, "only once"},
		{"growth over the picture", []string{"-o", "-", "--format", "png", "--growth", "good.log"}, exitUsage, "name a file"},
		{"growth of a moment", []string{"--growth", "good.log"}, exitFailed, "log for longer"},
		{"growth of no memory", []string{"--growth", "-o", "old.png", "flood.log"}, exitFailed, "flood.log has fewer than 20 samples of the memory"},
		{"no such log", []string{"-o", "old.png", "gone.log"}, exitFailed, "gone.log"},
		{"empty log", []string{"-o", "old.png", "empty.log"}, exitFailed, "empty.log holds no sample"},
		{"strict", []string{"-o", "old.png", "--strict", "bad.log"}, exitFailed, "bad.log:2: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stdout, _, err := plot(t, "", tt.args...)
			if err == nil || !strings.Contains(err.Error(), tt.want) || exitCode(err) != tt.code {
				t.Errorf("error %v with code %d, want %q with %d", err, exitCode(err), tt.want, tt.code)
			}
			if stdout != "" {
				t.Errorf("standard output holds %q", stdout)
			}
			if b, err := os.ReadFile("old.png"); err != nil || string(b) != "old" {
				t.Errorf("the old picture is %.20q, %v", b, err)
			}
			if left, err := filepath.Glob(".old.png*"); err != nil || len(left) > 0 {
				t.Error(errors.Join(err, errors.New("left over: "+strings.Join(left, " "))))
			}
		})
	}
}
