package bench

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.org/comet/sysctl"
)

// machine is a made-up Linux machine that is short of three kernel settings
// for 10,000 connections.
func machine(t *testing.T) sysctl.Machine {
	t.Helper()
	m := sysctl.Machine{Root: t.TempDir(), Process: 4711}
	for name, text := range map[string]string{
		"proc/4711/comm":                        "bash",
		"proc/4711/limits":                      "Max open files            1024                 1024                files",
		"proc/sys/fs/nr_open":                   "1048576",
		"proc/sys/fs/file-max":                  "9000",
		"proc/sys/fs/file-nr":                   "500 0 9000",
		"proc/sys/net/ipv4/ip_local_port_range": "32768\t33767",
		"proc/sys/net/core/somaxconn":           "128",
		"proc/sys/net/ipv4/tcp_max_syn_backlog": "2048",
	} {
		name = filepath.Join(m.Root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	m.SetOpenFiles = func(int, sysctl.Value, sysctl.Value) error {
		t.Error("the open files of a process are none of this")
		return nil
	}
	return m
}

var tenThousand = sysctl.Need{Connections: 10_000, Role: sysctl.Both}

func setting(t *testing.T, m sysctl.Machine, name string) string {
	t.Helper()
	settings, err := m.Settings(name)
	if err != nil {
		t.Fatal(err)
	}
	return settings[0].Value
}

func set(t *testing.T, m sysctl.Machine, name, value string) {
	t.Helper()
	if err := m.Put([]sysctl.Assignment{{Name: name, Value: value}})[0].Err; err != nil {
		t.Fatal(err)
	}
}

const (
	fileMax = "fs.file-max"
	backlog = "net.core.somaxconn"
	ports   = "net.ipv4.ip_local_port_range"
)

func TestApplyLimitsPutsEverythingBack(t *testing.T) {
	m, folder, said := machine(t), t.TempDir(), new(bytes.Buffer)
	restore, err := applyLimits(m, tenThousand, folder, said)
	if err != nil {
		t.Fatal(err)
	}
	if setting(t, m, backlog) != "4096" || setting(t, m, fileMax) == "9000" || setting(t, m, ports) != "1024 65535" {
		t.Errorf("not raised: %s", said)
	}
	note, err := os.ReadFile(filepath.Join(folder, "sysctl-before.conf"))
	for _, line := range []string{"\nfs.file-max = 9000\n", "\nnet.core.somaxconn = 128\n", "\nnet.ipv4.ip_local_port_range = 32768 33767\n", "sudo sysctl -p '" + folder} {
		if err != nil || !strings.Contains(string(note), line) {
			t.Errorf("%q is not in the note: %v\n%s", line, err, note)
		}
	}
	if !strings.Contains(said.String(), "net.core.somaxconn was 128, is 4096 until the end") {
		t.Errorf("said %q", said)
	}
	for range 2 { // a second time does nothing
		if err := restore(); err != nil {
			t.Error(err)
		}
		if setting(t, m, backlog) != "128" || setting(t, m, fileMax) != "9000" || setting(t, m, ports) != "32768 33767" {
			t.Error("not put back")
		}
	}
	if strings.Count(said.String(), " again\n") != 3 {
		t.Errorf("said %q", said)
	}
	if left, _ := os.ReadDir(folder); len(left) != 0 {
		t.Errorf("%v is left", left)
	}
}

func TestApplyLimitsWritesNothingWhereNothingIsShort(t *testing.T) {
	m, folder, said := machine(t), t.TempDir(), new(bytes.Buffer)
	need := sysctl.Need{Connections: 100, Role: sysctl.Both}
	restore, err := applyLimits(m, need, folder, said)
	if err != nil || restore() != nil || said.Len() > 0 || setting(t, m, backlog) != "128" {
		t.Errorf("%v, said %q", err, said)
	}
	proposeLimits(m, need, said)
	if left, _ := os.ReadDir(folder); len(left) != 0 || said.Len() > 0 {
		t.Errorf("%v is left, said %q", left, said)
	}
}

// One setting cannot be written: it has other numbers than comet knows.
func TestApplyLimitsIsAllOrNothing(t *testing.T) {
	m, folder := machine(t), t.TempDir()
	name := filepath.Join(m.Root, "proc/sys/net/ipv4/tcp_mem")
	if err := os.WriteFile(name, []byte("1 2 3 4\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := applyLimits(m, tenThousand, folder, new(bytes.Buffer))
	if err == nil || !strings.Contains(err.Error(), "tcp_mem stays at 1 2 3 4") {
		t.Fatalf("%v, want the setting that was refused", err)
	}
	if setting(t, m, backlog) != "128" || setting(t, m, fileMax) != "9000" {
		t.Error("what was written before is not put back")
	}
	if left, _ := os.ReadDir(folder); len(left) != 0 {
		t.Errorf("%v is left", left)
	}
}

func TestRestoreNamesTheCommandsForWhatIsLeft(t *testing.T) {
	m, folder := machine(t), t.TempDir()
	restore, err := applyLimits(m, tenThousand, folder, new(bytes.Buffer))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(m.Root, "proc/sys/net/ipv4/ip_local_port_range")); err != nil {
		t.Fatal(err)
	}
	set(t, m, fileMax, "777777") // somebody else's doing
	err = restore()
	for _, part := range []string{
		"2 of the kernel's settings are not what they were", "fs.file-max was set to 777777 by something else",
		"\n  sudo sysctl -w fs.file-max=9000", "\n  sudo sysctl -w net.ipv4.ip_local_port_range=\"32768 33767\"", "sysctl-before.conf",
	} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in: %v", part, err)
		}
	}
	if setting(t, m, fileMax) != "777777" || setting(t, m, backlog) != "128" {
		t.Error("somebody else's setting was lost, or one that could be put back was not")
	}
	if _, err := os.Stat(filepath.Join(folder, beforeFile)); err != nil {
		t.Errorf("the note is gone: %v", err)
	}
	// The next run must not take the raised values for those of before.
	if _, err := applyLimits(m, tenThousand, folder, new(bytes.Buffer)); err == nil || !strings.Contains(err.Error(), "sudo sysctl -p "+folder) {
		t.Errorf("%v, want the note of the run before", err)
	}
}

func TestProposeLimitsChangesNothing(t *testing.T) {
	m, said := machine(t), new(bytes.Buffer)
	proposeLimits(m, tenThousand, said)
	for _, part := range []string{
		"short of 10,000 connections; --apply-sysctl (as root) would set", "net.core.somaxconn, now 128, to 4096 (connections that",
		"net.ipv4.ip_local_port_range, now 32768 33767, to 1024 65535",
	} {
		if !strings.Contains(said.String(), part) {
			t.Errorf("%q is not in\n%s", part, said)
		}
	}
	if strings.Contains(said.String(), "open files") || setting(t, m, backlog) != "128" {
		t.Errorf("said\n%s", said)
	}
}

func TestRefusalLeavesOutWhatWillBeFixed(t *testing.T) {
	s := sysctl.UnknownSystem()
	s.OS, s.FileMax, s.FilesInUse, s.OpenFiles, s.MemAvailable = "linux", 9000, 500, 20_000, 64<<20
	limits := sysctl.Check(tenThousand, s)
	err := (&Config{}).refusal(tenThousand, limits)
	if err == nil || !strings.Contains(err.Error(), "fs.file-max") || !strings.Contains(err.Error(), "kernel memory") {
		t.Errorf("%v, want both limits", err)
	}
	err = (&Config{ApplySysctl: true}).refusal(tenThousand, limits)
	if err == nil || strings.Contains(err.Error(), "fs.file-max") || !strings.Contains(err.Error(), "kernel memory") {
		t.Errorf("%v, want the memory, which no setting fixes", err)
	}
}

// Whatever the run ends with, the settings are put back and that error is told.
func TestLimitsArePutBackAfterAFailure(t *testing.T) {
	failure := errors.New("the server died")
	m, folder, said := machine(t), t.TempDir(), new(bytes.Buffer)
	cfg := Config{ApplySysctl: true, Progress: said}
	raised := ""
	err := cfg.withLimitsOf(t.Context(), m, tenThousand, folder, cfg.Progress, func() error {
		raised = setting(t, m, backlog)
		return failure
	})
	if !errors.Is(err, failure) || raised != "4096" || setting(t, m, backlog) != "128" {
		t.Errorf("%v; %s while it ran, %s after", err, raised, setting(t, m, backlog))
	}
	func() {
		defer func() { _ = recover() }()
		_ = cfg.withLimitsOf(t.Context(), m, tenThousand, folder, cfg.Progress, func() error { panic("a defect") })
	}()
	if setting(t, m, backlog) != "128" {
		t.Error("not put back after a panic")
	}
	if left, _ := os.ReadDir(folder); len(left) != 0 {
		t.Errorf("%v is left", left)
	}
}

// Once an end is asked for, the settings are put back while the run still ends,
// and AtExit has them put back at any time.
func TestLimitsArePutBackFirst(t *testing.T) {
	for _, at := range []string{"an end", "an end at once"} {
		m, folder, said := machine(t), t.TempDir(), new(bytes.Buffer)
		var hooks []func() error
		forgotten := 0
		cfg := Config{ApplySysctl: true, AtExit: func(restore func() error) func() {
			hooks = append(hooks, restore)
			return func() { forgotten++ }
		}}
		ctx, cancel := context.WithCancel(t.Context())
		err := cfg.withLimitsOf(ctx, m, tenThousand, folder, said, func() error {
			if len(hooks) != 1 || setting(t, m, backlog) != "4096" {
				t.Fatalf("%d hooks, %s", len(hooks), setting(t, m, backlog))
			}
			if at == "an end at once" {
				return hooks[0]()
			}
			cancel()
			for end := time.Now().Add(20 * time.Second); setting(t, m, backlog) != "128"; time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					return errors.New("not put back while the run ends")
				}
			}
			return nil
		})
		if err != nil || setting(t, m, backlog) != "128" || forgotten != 1 {
			t.Errorf("%s: %v, %s, forgotten %d times", at, err, setting(t, m, backlog), forgotten)
		}
		cancel()
		raised := false
		if err := cfg.withLimitsOf(ctx, m, tenThousand, folder, said, func() error { raised = true; return nil }); !errors.Is(err, context.Canceled) || raised {
			t.Errorf("after the end was asked for: %v, raised %v", err, raised)
		}
	}
}
