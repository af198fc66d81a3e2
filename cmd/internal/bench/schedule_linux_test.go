package bench

import (
	"bytes"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestStayWith starts processes and asks the kernel where each may run.
func TestStayWith(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, after unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]int)
	for pair := range 2 * before.Count() {
		var said bytes.Buffer
		c := exec.Command("cat", "/proc/self/status")
		c.Stdout = &said
		if err := stayWith(pair, c.Start); err != nil {
			t.Fatal(err)
		}
		if err := c.Wait(); err != nil {
			t.Fatal(err)
		}
		_, list, _ := strings.Cut(said.String(), "Cpus_allowed_list:")
		list, _, _ = strings.Cut(list, "\n")
		seen[strings.TrimSpace(list)]++
	}
	if len(seen) != before.Count() {
		t.Errorf("of %d processors these were given: %v", before.Count(), seen)
	}
	for list, n := range seen {
		if strings.ContainsAny(list, ",-") || n != 2 {
			t.Errorf("%d processes may run on %q", n, list)
		}
	}
	if err := unix.SchedGetaffinity(0, &after); err != nil || after != before {
		t.Errorf("afterwards we may run on %v, before on %v (%v)", after, before, err)
	}
}
