package sockdiag

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"example.org/comet/memlog/internal/machine"
)

// noNetwork is how the tests exit that cannot use the network made for them.
const noNetwork = 77

// TestMain runs the tests in a network of their own, where this user may make
// one: a count by port alone counts everybody's sockets, and a machine that
// tests a server has clients on any port.
func TestMain(m *testing.M) {
	const variable = "COMET_SOCKDIAG_TEST_NETWORK"
	if os.Getenv(variable) != "" {
		if err := machine.LoopbackUp(); err != nil {
			os.Exit(noNetwork)
		}
		goleak.VerifyTestMain(m)
		return
	}
	for _, arg := range os.Args { // the parts of a fuzzer talk through pipes
		if strings.HasPrefix(arg, "-test.fuzz") {
			os.Exit(m.Run())
		}
	}
	cmd := exec.Command(os.Args[0], os.Args[1:]...)
	cmd.Env = append(os.Environ(), variable+"=own")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWNET | syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		os.Exit(0)
	case errors.As(err, &exit) && exit.ExitCode() != noNetwork:
		os.Exit(max(exit.ExitCode(), 1)) // -1 if a signal has ended it
	}
	goleak.VerifyTestMain(m)
}
