package fleet

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// childTable sets the size of the tables of new namespaces.
const childTable = "/proc/sys/net/ipv4/tcp_child_ehash_entries"

// startInNetwork starts cmd in a new network namespace, whose table has that many
// buckets if the kernel can do that.
func startInNetwork(cmd *exec.Cmd, buckets int) (err error) {
	cmd.SysProcAttr = ownGroup()
	cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWNET
	before, err := os.ReadFile(childTable)
	if errors.Is(err, fs.ErrNotExist) {
		return cmd.Start()
	}
	if err == nil {
		err = os.WriteFile(childTable, []byte(strconv.Itoa(buckets)), 0o644)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.WriteFile(childTable, before, 0o644)) }()
	return cmd.Start()
}

// LoopbackUp brings up the loopback interface of a new network namespace
// (netdevice(7)).
func LoopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("fleet: %w", os.NewSyscallError("socket", err))
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return fmt.Errorf("fleet: %w", err)
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo); err != nil {
		return fmt.Errorf("fleet: the loopback interface does not come up: %w", os.NewSyscallError("ioctl SIOCSIFFLAGS", err))
	}
	return nil
}
