//go:build unix

package fleet

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A stopped process is noticed by its silence, told nothing more, and killed.
func TestAStoppedProcessIsNoticed(t *testing.T) {
	spoke := make(chan struct{}, 1)
	f := new(Fleet)
	p := launch(t, f, "flood", "samples", func(s *Spec) {
		s.OnSample = func([]byte) {
			select {
			case spoke <- struct{}{}:
			default:
			}
		}
	})
	<-spoke
	if err := syscall.Kill(int(p.PID), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	err := f.Watch(t.Context(), func(ctx context.Context) error {
		<-ctx.Done()
		return context.Cause(ctx)
	}, func(ctx context.Context) error {
		for {
			if err := f.Hung(50 * time.Millisecond); err != nil {
				return err
			}
			if err := Wait(ctx, 5*time.Millisecond); err != nil {
				return err
			}
		}
	})
	if hung, ok := errors.AsType[*HungError](err); !ok || hung.Process != p || !strings.Contains(err.Error(), "is it stopped") {
		t.Errorf("%v, want the stopped one", err)
	}
	long := strings.Repeat("x", 1<<20) // more than a pipe holds
	if err := p.Tell(long); err == nil {
		t.Error("a stopped process was told something")
	}
	if err := p.Stop(10 * time.Millisecond); err == nil || !strings.Contains(err.Error(), "was killed") {
		t.Errorf("%v, want that it was killed", err)
	}
}

// What was killed says no words of its own: who may have done it is said instead.
func TestAKilledProcessPointsAtTheKernel(t *testing.T) {
	p := launch(t, new(Fleet), "serve", "echo")
	if err := syscall.Kill(int(p.PID), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := p.Lost(); !strings.Contains(err.Error(), "(signal: killed, as by the kernel when memory is short (see dmesg)) and said nothing") {
		t.Errorf("%v", err)
	}
}
