package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"example.org/comet/flood"
	"example.org/comet/sysctl"
)

// sysctlFlags are the flags of sysctl as they are written.
type sysctlFlags struct {
	machine                          sysctl.Machine
	connections                      count
	sources, destinations, processes count
	role                             string
	sourceIPs                        []string
	apply, conf, json                bool
}

// newSysctl makes the command for a machine; tests have one of their own.
func newSysctl(env *Env, machine sysctl.Machine) *cobra.Command {
	o := &sysctlFlags{machine: machine, connections: 10_000, sources: 1, destinations: 1, processes: 1}
	cmd := &cobra.Command{
		Use:     "sysctl",
		Aliases: []string{"doctor"},
		Short:   "Say which limit stops N connections, and mend it",
		Long: `sysctl compares every limit of the kernel, of the shell and of its control
group with what -c connections need, and marks the ones that are SHORT, each
with the reason and the command that mends it. Exit code: 0 when none is short,
3 when one is, 1 when something failed.

The open files are those of the shell that comet is started from: any server
started there inherits them. comet's own commands raise the soft limit by
themselves; most servers do not. --pid looks at a running server instead.

--conf prints a file for /etc/sysctl.d to standard output (exit code 0). Only
what is short is set in it: a line for a setting that is high enough would lower
it on the day that something else needs more. What is high enough, what no
kernel setting mends, and the LimitNOFILE= of a systemd unit are comments in it.

--apply writes what is short and can be written at run time: kernel settings
until the next boot, open files of the shell or of --pid until it ends. It shows
each before and after, lowers nothing, and leaves alone what is not short; then
it looks again. It needs root for most. Exit code: 0 when nothing is short any
more, 1 when a write was refused, 3 when the rest is for you to mend, such as
memory, source addresses, and control groups, which belong to what made them.`,
		Example: `  comet sysctl -c 100k --role server
  comet sysctl -c 1M --role client --source-ip 10.0.0.1-10.0.0.20 --destinations 2
  comet sysctl -c 50k --role server --pid 4711
  comet sysctl -c 100k --role server --conf | sudo tee /etc/sysctl.d/90-comet.conf
  sudo comet sysctl -c 100k --apply`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd, env) },
	}
	o.register(cmd.Flags())
	return cmd
}

func (o *sysctlFlags) register(f *pflag.FlagSet) {
	f.VarP(&o.connections, "connections", "c", "how many connections")
	f.StringVar(&o.role, "role", "both", "which ends are on this machine: server, client or both")
	f.StringArrayVar(&o.sourceIPs, "source-ip", nil, "`address` that clients connect from: 127.0.0.2, 127.0.0.2-127.0.0.18 or 127.0.1.0/24; repeatable")
	f.Var(&o.sources, "sources", "from how many addresses clients connect, instead of --source-ip")
	f.Var(&o.destinations, "destinations", "to how many address:port pairs clients connect")
	f.Var(&o.processes, "processes", "how many processes share the connections of an end")
	f.IntVar(&o.machine.Process, "pid", o.machine.Process, "look at the open files and the control group of process `N` instead of the shell's (Linux)")
	f.BoolVar(&o.apply, "apply", false, "write what is short and can be written at run time")
	f.BoolVar(&o.conf, "conf", false, "print a sysctl.d file and the LimitNOFILE= line")
	f.BoolVar(&o.json, "json", false, "print a JSON line instead of the table")
}

func (o *sysctlFlags) run(cmd *cobra.Command, env *Env) error {
	need, err := o.need(cmd.Flags())
	if err != nil {
		return err
	}
	system, err := o.read(env)
	if err != nil {
		return err
	}
	limits := sysctl.Examine(need, system)
	if o.conf {
		return sysctl.Conf(env.Stdout, need, system, limits)
	}
	var changes []sysctl.Change
	if o.apply {
		if changes, err = o.machine.Apply(system, limits); err != nil {
			return err
		}
		if system, err = o.read(env); err != nil {
			return err
		}
		limits = sysctl.Examine(need, system)
	}
	report := sysctlReport{need, limits, o.machine.Remarks(need, system), changes, o.apply}
	show := report.table
	if o.json {
		show = report.json
	}
	if err := show(env.Stdout); err != nil {
		return err
	}
	return report.outcome()
}

// need checks the flags; what they say concerns every platform.
func (o *sysctlFlags) need(f *pflag.FlagSet) (sysctl.Need, error) {
	roles := map[string]sysctl.Role{"server": sysctl.Server, "client": sysctl.Client, "both": sysctl.Both}
	role, ok := roles[o.role]
	if !ok {
		return sysctl.Need{}, usagef("--role %q: write server, client or both", o.role)
	}
	// Beyond any machine, and far from where the sums overflow.
	const most = 1 << 40
	for name, n := range map[string]count{
		"--connections": o.connections, "--sources": o.sources, "--destinations": o.destinations, "--processes": o.processes,
	} {
		if n < 1 || n > most {
			return sysctl.Need{}, usagef("%s must be from 1 to %d, not %d", name, int64(most), int64(n))
		}
	}
	switch {
	case o.apply && o.conf:
		return sysctl.Need{}, usagef("--apply and --conf exclude each other: print the file first, then apply")
	case o.json && o.conf:
		return sysctl.Need{}, usagef("--conf prints a file for sysctl.d, not JSON: the JSON line has the same settings in \"set\"")
	case f.Changed("source-ip") && f.Changed("sources"):
		return sysctl.Need{}, usagef("--source-ip and --sources exclude each other")
	case f.Changed("pid") && o.machine.Process < 1:
		return sysctl.Need{}, usagef("--pid must be a process id, not %d", o.machine.Process)
	}
	if len(o.sourceIPs) > 0 {
		addresses, err := flood.ParseSources(o.sourceIPs)
		if err != nil {
			return sysctl.Need{}, usageError{err}
		}
		o.sources = count(len(addresses))
	}
	return sysctl.Need{
		Connections: int(o.connections), Role: role, Processes: int(o.processes),
		SourceAddresses: int(o.sources), Destinations: int(o.destinations),
	}, nil
}

// read tolerates a limit that cannot be read, as long as there are others.
func (o *sysctlFlags) read(env *Env) (sysctl.System, error) {
	system, err := o.machine.Read()
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

// outcome is nil, the target missed, or the writes that were refused.
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
