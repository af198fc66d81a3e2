package sysctl

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// Conf writes a file for /etc/sysctl.d that lifts limits, which [Examine] made, at
// every boot. It sets only what is short: sysctl.d has no "at least", so a line
// for a setting that is high enough would lower what another program raises some
// day. Those settings are comments, and so are the open files of a service, which
// no sysctl governs.
func Conf(w io.Writer, n Need, s System, limits []Limit) error {
	if s.OS != "linux" {
		return fmt.Errorf("sysctl: only Linux reads sysctl.d files: %w", errors.ErrUnsupported)
	}
	var short, enough, byHand strings.Builder
	files := Value(0)
	for _, l := range limits {
		if l.Setting == SoftOpenFiles || l.Setting == HardOpenFiles {
			files = l.NeededValue
			continue
		}
		isSysctl := strings.HasPrefix(l.Setting, "fs.") || strings.HasPrefix(l.Setting, "net.")
		switch {
		case l.Short && len(l.Set) > 0:
			fmt.Fprintf(&short, "\n# %s, now %s: %s\n", l.Setting, l.Now, l.What)
			for _, a := range l.Set {
				fmt.Fprintf(&short, "%s = %s\n", a.Name, a.Value)
				if strings.HasSuffix(a.Name, "ip_local_port_range") {
					short.WriteString("# Servers that listen in this range may find their port handed to a client. Withhold\n" +
						"# such ports (the line replaces the list in force):\n" +
						"# net.ipv4.ip_local_reserved_ports = 8000-8001\n")
				}
			}
		case l.Short:
			fmt.Fprintf(&byHand, "# %s, now %s of %s: %s\n", l.Setting, l.Now, l.Needed, l.Mend)
		case isSysctl:
			fmt.Fprintf(&enough, "# %s: %s now, %s needed\n", l.Setting, l.Now, l.Needed)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# What this machine lacks for %s, role %s, as found by comet sysctl.\n"+
		"# Save as /etc/sysctl.d/90-comet.conf, then: sudo sysctl --system\n", plural(Value(n.Connections), "connection", "connections"), n.Role)
	if short.Len() == 0 {
		b.WriteString("\n# No kernel setting is short.\n")
	}
	b.WriteString(short.String())
	if enough.Len() > 0 {
		b.WriteString("\n# High enough here, and not set: a line would lower what another program raises:\n" + enough.String())
	}
	if byHand.Len() > 0 {
		b.WriteString("\n# Short as well, and no kernel setting lifts it:\n" + byHand.String())
	}
	if files > 0 {
		fmt.Fprintf(&b, "\n# Not a kernel setting: open files of the service, in [Service] of its systemd unit\n"+
			"# (sudo systemctl edit NAME, then sudo systemctl restart NAME), without the \"# \":\n"+
			"# LimitNOFILE=%d\n", files)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
