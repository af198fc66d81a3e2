package sysctl_test

import (
	"fmt"

	"example.org/comet/sysctl"
)

// A shell that a Linux login gave 4,096 files, and a machine with the default
// range of ports.
func Example() {
	system := sysctl.UnknownSystem()
	system.OS = "linux"
	system.OpenFiles, system.OpenFilesHard = 4096, 20000
	system.PortLow, system.PortHigh = 32768, 60999

	need := sysctl.Need{Connections: 10000, Role: sysctl.Both}
	limits := sysctl.Check(need, system)
	for _, l := range limits {
		fmt.Println(l.Setting, l.Now, "needed", l.Needed, "short", l.Short)
	}
	fmt.Println(sysctl.Refusal(need, limits))
	// Output:
	// open files 4,096 needed 10,064 short true
	// net.ipv4.ip_local_port_range 28,232 needed 10,000 short false
	// this shell allows 4,096 open files and 10,000 connections need 10,064: run with -c 4000, or raise it with `ulimit -n 10064` (hard limit 20,000)
}
