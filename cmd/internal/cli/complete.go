package cli

import (
	"context"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v3/process"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"example.org/comet/cmd/internal/flags"
	"example.org/comet/cmd/internal/result"
)

// completeAll makes a shell offer the values of the flags of cmd and of all commands
// below it, and no files as arguments of one that takes none.
func completeAll(cmd *cobra.Command) {
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		_ = cmd.RegisterFlagCompletionFunc(f.Name, valuesFor(f)) // fails only twice
	})
	if cmd.ValidArgsFunction == nil && cmd.ValidArgs == nil && !takesArguments(cmd) {
		cmd.ValidArgsFunction = cobra.NoFileCompletions
	}
	for _, sub := range cmd.Commands() {
		completeAll(sub)
	}
}

// valuesFor returns what completes the value of f. That a flag takes a file or a
// folder is said by the name that its usage gives the value.
func valuesFor(f *pflag.Flag) cobra.CompletionFunc {
	if values := flags.ValuesOf(f); values != nil {
		return cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)
	}
	switch f.Name {
	case "match":
		return completeProcesses
	case sloFlag, failIfFlag: // an operator follows
		return cobra.FixedCompletions(result.TargetNames(), cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveNoSpace)
	case "metric":
		return cobra.FixedCompletions(result.TargetNames(), cobra.ShellCompDirectiveNoFileComp)
	}
	value, _ := pflag.UnquoteUsage(f)
	switch value = strings.ToLower(value); {
	case value == "folder":
		return cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs)
	case strings.HasPrefix(value, "file"):
		return cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault)
	}
	return cobra.NoFileCompletions
}

// takesArguments reports whether cmd takes any arguments.
func takesArguments(cmd *cobra.Command) bool {
	var words []string
	for range 3 {
		words = append(words, "word")
		if cmd.Args == nil || cmd.Args(cmd, words) == nil {
			return true
		}
	}
	return false
}

// completeCommand offers what completes the command line args.
func completeCommand(env *Env, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	var out strings.Builder
	root := newRoot(env)
	root.SetOut(&out)
	root.SetErr(io.Discard)
	root.SetArgs(append(append([]string{cobra.ShellCompRequestCmd}, args...), begun))
	if root.Execute() != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	words := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	last := len(words) - 1
	directive, err := strconv.Atoi(strings.TrimPrefix(words[last], ":"))
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return words[:last], cobra.ShellCompDirective(directive)
}

// completionPatience bounds the time in which a shell waits for the names of
// processes. A machine with very many has those that were read until then.
const completionPatience = 300 * time.Millisecond

// completeProcesses offers the programs that run, as patterns that match them.
func completeProcesses(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completionPatience)
	defer cancel()
	return programs(ctx, begun), cobra.ShellCompDirectiveNoFileComp
}

// programs returns the names of the programs that run and begin so, quoted as
// regular expressions. Threads of the kernel have no command line and are none.
func programs(ctx context.Context, begun string) (names []string) {
	pids, err := process.PidsWithContext(ctx)
	if err != nil {
		return nil // nothing to offer
	}
	for _, pid := range pids {
		if ctx.Err() != nil {
			break
		}
		args, err := (&process.Process{Pid: pid}).CmdlineSliceWithContext(ctx)
		if err != nil || len(args) == 0 {
			continue
		}
		// A title such as "nginx: master process /usr/sbin/nginx" stands in args[0].
		program, _, _ := strings.Cut(strings.TrimLeft(args[0], "-"), " ")
		if name := regexp.QuoteMeta(strings.TrimSuffix(filepath.Base(program), ":")); strings.HasPrefix(name, begun) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
