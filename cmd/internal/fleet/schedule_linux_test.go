package fleet

import (
	"bytes"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestOnProcessor starts processes and asks the kernel where each may run.
func TestOnProcessor(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, after unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]int)
	for i := range 2 * before.Count() {
		list := allowed(t, i+1)
		if strings.ContainsAny(list, ",-") {
			t.Errorf("the process for processor %d may run on %q", i+1, list)
		}
		seen[list]++
	}
	if len(seen) != before.Count() {
		t.Errorf("of %d processors these were given: %v", before.Count(), seen)
	}
	if list := allowed(t, 0); before.Count() > 1 && !strings.ContainsAny(list, ",-") {
		t.Errorf("a process for any processor may run on %q", list)
	}
	if err := unix.SchedGetaffinity(0, &after); err != nil || after != before {
		t.Errorf("afterwards we may run on %v, before on %v (%v)", after, before, err)
	}
}

// allowed returns the list of processors of a process that was started on one.
func allowed(t *testing.T, processor int) string {
	t.Helper()
	var said bytes.Buffer
	c := exec.Command("cat", "/proc/self/status")
	c.Stdout = &said
	if err := onProcessor(processor, c.Start); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(said.String(), "Cpus_allowed_list:")
	list, _, _ = strings.Cut(list, "\n")
	return strings.TrimSpace(list)
}
