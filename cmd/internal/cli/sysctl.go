package cli

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"example.org/comet/cmd/internal/flags"
	"example.org/comet/sysctl"
)

// sysctlOptions are the flags of comet sysctl.
type sysctlOptions struct {
	Machine     sysctl.Machine
	Need        sysctl.Need
	Role        string
	SourceIPs   []netip.Addr
	Apply, Conf bool
	JSON        bool
}

// mostSysctl is beyond any machine, and far from where the sums overflow.
const mostSysctl = 1 << 40

// newSysctl makes the command for a machine; tests have one of their own.
func newSysctl(env *Env, machine sysctl.Machine, run func(context.Context, *Env, *sysctlOptions) error) *cobra.Command {
	o := &sysctlOptions{Machine: machine}
	cmd := describe(&cobra.Command{
		Use:     "sysctl",
		Aliases: []string{"doctor"},
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.complete(cmd.Flags()); err != nil {
				return usageError{err}
			}
			return run(cmd.Context(), env, o)
		},
	}, "sysctl")
	o.bind(cmd.Flags())
	return cmd
}

func (o *sysctlOptions) bind(f *pflag.FlagSet) {
	flags.Group(f, flags.Load, func() {
		flags.Count(f, &o.Need.Connections, "connections", "c", 10_000, "how many connections", flags.Least(1))
		flags.Enum(f, &o.Role, "role", "both", "which ends are on this machine: server, client or both", "server", "client", "both")
		flags.Sources(f, &o.SourceIPs, "`address` that clients connect from: 127.0.0.2, 127.0.0.2-127.0.0.18 or 127.0.1.0/24; repeatable")
		flags.Count(f, &o.Need.SourceAddresses, "sources", "", 1, "from how many addresses clients connect, instead of --source-ip", flags.Least(1))
		flags.Count(f, &o.Need.Destinations, "destinations", "", 1, "to how many address:port pairs clients connect", flags.Least(1))
		flags.Count(f, &o.Need.Processes, "processes", "", 1, "how many processes share the connections of an end", flags.Least(1))
	})
	flags.Group(f, flags.Target, func() {
		f.IntVar(&o.Machine.Process, "pid", o.Machine.Process, "look at the open files and the control group of process `N` instead of the shell's (Linux)")
		f.BoolVar(&o.Apply, "apply", false, "write what is short and can be written at run time")
	})
	flags.Group(f, flags.Output, func() {
		f.BoolVar(&o.Conf, "conf", false, "print a sysctl.d file and the LimitNOFILE= line")
		f.BoolVar(&o.JSON, "json", false, "print a JSON line instead of the table")
	})
}

// complete checks the flags; what they say concerns every platform.
func (o *sysctlOptions) complete(f *pflag.FlagSet) error {
	o.Need.Role = map[string]sysctl.Role{"server": sysctl.Server, "client": sysctl.Client, "both": sysctl.Both}[o.Role]
	for name, n := range map[string]int{
		"--connections": o.Need.Connections, "--sources": o.Need.SourceAddresses, "--destinations": o.Need.Destinations, "--processes": o.Need.Processes,
	} {
		if int64(n) > mostSysctl {
			return fmt.Errorf("%s must be from 1 to %d, not %d", name, int64(mostSysctl), n)
		}
	}
	switch {
	case o.Apply && o.Conf:
		return errors.New("--apply and --conf exclude each other: print the file first, then apply")
	case o.JSON && o.Conf:
		return errors.New("--conf prints a file for sysctl.d, not JSON: the JSON line has the same settings in \"set\"")
	case f.Changed("source-ip") && f.Changed("sources"):
		return errors.New("--source-ip and --sources exclude each other")
	case f.Changed("pid") && o.Machine.Process < 1:
		return fmt.Errorf("--pid must be a process id, not %d", o.Machine.Process)
	}
	if len(o.SourceIPs) > 0 {
		o.Need.SourceAddresses = len(o.SourceIPs)
	}
	return nil
}

// runSysctl looks at the limits, and with --apply raises them.
func runSysctl(_ context.Context, env *Env, o *sysctlOptions) error {
	system, err := o.read(env)
	if err != nil {
		return err
	}
	limits := sysctl.Examine(o.Need, system)
	if o.Conf {
		return sysctl.Conf(env.Stdout, o.Need, system, limits)
	}
	var changes []sysctl.Change
	if o.Apply {
		if changes, err = o.Machine.Apply(system, limits); err != nil {
			return err
		}
		if system, err = o.read(env); err != nil {
			return err
		}
		limits = sysctl.Examine(o.Need, system)
	}
	report := sysctlReport{o.Need, limits, o.Machine.Remarks(o.Need, system), changes, o.Apply}
	show := report.table
	if o.JSON {
		show = report.json
	}
	if err := show(env.Stdout); err != nil {
		return err
	}
	return report.outcome()
}

// read tolerates a limit that cannot be read, as long as there are others.
func (o *sysctlOptions) read(env *Env) (sysctl.System, error) {
	system, err := o.Machine.Read()
	switch {
	case errors.Is(err, sysctl.ErrNoProcess):
		return system, usageError{err}
	case errors.Is(err, errors.ErrUnsupported):
		return system, err
	case err != nil:
		env.Logger().Warn("not every limit of this system is known", "error", err)
	}
	return system, nil
}

// sysctlReport is what the command found and did.
type sysctlReport struct {
	need    sysctl.Need
	limits  []sysctl.Limit
	remarks []string
	changes []sysctl.Change
	applied bool
}

func (r *sysctlReport) short() []sysctl.Limit {
	var short []sysctl.Limit
	for _, l := range r.limits {
		if l.Short {
			short = append(short, l)
		}
	}
	return short
}

// outcome returns nil, that the target was missed, or the writes that were refused.
func (r *sysctlReport) outcome() error {
	var refused []string
	for _, c := range r.changes {
		if c.Err != nil {
			refused = append(refused, "\n  "+c.Err.Error())
		}
	}
	if len(refused) > 0 {
		return fmt.Errorf("%d of %d settings could not be written:%s", len(refused), len(r.changes), strings.Join(refused, ""))
	}
	short := r.short()
	if len(short) == 0 {
		return nil
	}
	writable := 0
	for _, l := range short {
		if len(l.Set) > 0 {
			writable++
		}
	}
	hint := ""
	switch {
	case r.applied:
		hint = "; what is left cannot be written at run time: see the table for what to do"
	case writable > 0:
		hint = "; --apply writes what can be written at run time, --conf prints it for good"
	}
	return targetError{fmt.Errorf("%d of %d limits are short of %s connections%s",
		len(short), len(r.limits), sysctl.Value(r.need.Connections), hint)}
}
