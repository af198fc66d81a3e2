//go:build system

package bench

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"example.org/comet/sysctl"
)

// The test with the build tag system raises one real setting by one for a
// moment and needs root:
//
//	sudo go test -tags system -run System ./cmd/internal/bench
func TestSystemApplyRaisesAndPutsBack(t *testing.T) {
	const name = "net.ipv4.tcp_max_syn_backlog" // not asked while cookies are sent
	if os.Geteuid() != 0 {
		t.Skip("only root may write " + name)
	}
	var m sysctl.Machine
	before, err := m.Settings(name)
	if err != nil {
		t.Skip("not shown here, as in a container: ", err)
	}
	n, err := strconv.Atoi(before[0].Value)
	if err != nil {
		t.Fatal(err)
	}
	if c := m.Put(before)[0]; c.Err != nil {
		t.Skip("cannot be written here: ", c.Err)
	}
	t.Cleanup(func() { m.Put(before) })
	system, err := m.Read()
	if err != nil {
		t.Fatal(err)
	}
	limits := []sysctl.Limit{{Setting: name, Short: true, Set: []sysctl.Assignment{{Name: name, Value: strconv.Itoa(n + 1)}}}}
	folder := t.TempDir()
	restore, err := raiseSettings(m, system, limits, folder, new(bytes.Buffer))
	if errors.Is(err, os.ErrPermission) {
		t.Skip("refused even to root, as in a container: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := setting(t, m, name); got != strconv.Itoa(n+1) {
		t.Errorf("it is %s, want %d", got, n+1)
	}
	if _, err := os.Stat(filepath.Join(folder, beforeFile)); err != nil {
		t.Error(err)
	}
	if err := restore(); err != nil {
		t.Error(err)
	}
	if got := setting(t, m, name); got != before[0].Value {
		t.Errorf("it is %s, was %s", got, before[0].Value)
	}
	if left, _ := os.ReadDir(folder); len(left) != 0 {
		t.Errorf("%v is left", left)
	}
}
