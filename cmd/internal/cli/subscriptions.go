package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"example.org/comet/cmd/internal/flags"
	"example.org/comet/server/subscriptions"
)

func newSubscriptions(env *Env) *cobra.Command {
	cmd := describe(&cobra.Command{
		Use: "subscriptions",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}, "subscriptions")
	cmd.AddCommand(newImport(env), newGenerate(env), newGraphStats(env), newExport(env))
	return cmd
}

// jsonResult adds --json.
func jsonResult(cmd *cobra.Command, asJSON *bool) {
	flags.Group(cmd.Flags(), flags.Output, func() {
		cmd.Flags().BoolVar(asJSON, "json", false, "print the result as a line of JSON")
	})
}

func newImport(env *Env) *cobra.Command {
	var undirected, asJSON bool
	cmd := describe(&cobra.Command{
		Use:  "import EDGES FILE",
		Args: exactly(2, 2, "a list of edges and the file to make: comet subscriptions import edges.tsv friends.db"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkMade(args[1]); err != nil {
				return err
			}
			ctx := cmd.Context()
			in, name, err := openEdges(ctx, env, args[0])
			if err != nil {
				return planned(ctx, err)
			}
			defer in.Close()
			done, err := subscriptions.Import(ctx, args[1], subscriptions.NewEdges(in, name), undirected)
			if err != nil {
				return planned(ctx, graphError(err))
			}
			if asJSON {
				return jsonLine(env.Stdout, "result", done)
			}
			_, err = fmt.Fprintf(env.Stdout, "%s: %d subscriptions of %d edges, %d repeated\n", args[1], done.Subscriptions, done.Edges, done.Repeated)
			return err
		},
	}, "subscriptions-import")
	flags.Group(cmd.Flags(), flags.Other, func() {
		cmd.Flags().BoolVar(&undirected, "undirected", false, "an edge is a friendship: each of the two follows the other")
	})
	jsonResult(cmd, &asJSON)
	return cmd
}

// openEdges opens a list of edges, - for standard input.
func openEdges(ctx context.Context, env *Env, arg string) (in io.ReadCloser, name string, err error) {
	if arg == "-" {
		return io.NopCloser(env.Stdin), "standard input", nil
	}
	f, err := await(ctx, func() (*os.File, error) { return os.Open(arg) })
	if err != nil {
		return nil, "", fmt.Errorf("cannot read the edges: %w", err)
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		f.Close()
		return nil, "", fmt.Errorf("cannot read the edges: %s is a directory: name a file", arg)
	}
	ending := &endingReader{ctx: ctx, in: f, hungUp: func() bool { return false }} // f may be a pipe
	return struct {
		io.Reader
		io.Closer
	}{ending, f}, arg, nil
}

// checkMade refuses - for a file that is to be made: it is read and written in no order.
func checkMade(path string) error {
	if path == "-" {
		return usageError{errors.New("a file of subscriptions cannot be written to standard output: name a file")}
	}
	return nil
}

// graphError returns err as a command prints it: what is there already is a mistake
// in the command line.
func graphError(err error) error {
	if errors.Is(err, fs.ErrExist) {
		return usageError{unprefixed{err}}
	}
	return unprefixed{err}
}

func newGenerate(env *Env) *cobra.Command {
	var graph subscriptions.Graph
	var asJSON bool
	cmd := describe(&cobra.Command{
		Use:  "generate FILE",
		Args: exactly(1, 1, "the file to make: comet subscriptions generate friends.db --users 1M --mean 50"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkMade(args[0]); err != nil {
				return err
			}
			if graph.Seed == 0 {
				graph.Seed = 1 + rand.Uint64N(1<<32) // short enough to be typed again
			}
			if err := graph.Validate(); err != nil {
				return usageError{unprefixed{err}}
			}
			if graph.Exponent == 0 { // to Validate, the default
				return usageError{errors.New("a power law with exponent 0: use more than 2, up to 10")}
			}
			n, err := subscriptions.Generate(cmd.Context(), args[0], graph)
			if err != nil {
				return planned(cmd.Context(), graphError(err))
			}
			if asJSON {
				return jsonLine(env.Stdout, "result", struct {
					Users         int64  `json:"users"`
					Subscriptions int64  `json:"subscriptions"`
					Seed          uint64 `json:"seed"`
				}{graph.Users, n, graph.Seed})
			}
			_, err = fmt.Fprintf(env.Stdout, "%s: %d users, %d subscriptions, seed %d\n", args[0], graph.Users, n, graph.Seed)
			return err
		},
	}, "subscriptions-generate")
	f := cmd.Flags()
	flags.Group(f, flags.Other, func() {
		flags.Count(f, &graph.Users, "users", "", 100_000, "how many users; they are called 1, 2, 3 ...", flags.Least(3))
		f.Float64Var(&graph.Mean, "mean", 50, "`number` of followers of a publisher, in the mean")
		f.Float64Var(&graph.Exponent, "exponent", 2.5, "`number` by which publishers with many followers are rarer: 10 times as many, 10^-2.5 as often")
		f.Uint64Var(&graph.Seed, "seed", 0, "`number` that the graph follows from; 0: pick one")
	})
	jsonResult(cmd, &asJSON)
	return cmd
}

func newGraphStats(env *Env) *cobra.Command {
	var asJSON bool
	cmd := describe(&cobra.Command{
		Use:  "stats FILE",
		Args: exactly(1, 1, "a file of subscriptions: comet subscriptions stats friends.db"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var stats subscriptions.Stats
			err := withGraph(cmd.Context(), args[0], func(f *subscriptions.File) (err error) {
				stats, err = f.Stats(cmd.Context())
				return err
			})
			switch {
			case err != nil:
				return err
			case asJSON:
				return jsonLine(env.Stdout, "result", stats)
			}
			return printGraph(env.Stdout, stats)
		},
	}, "subscriptions-stats")
	jsonResult(cmd, &asJSON)
	return cmd
}

// withGraph opens a file to read it.
func withGraph(ctx context.Context, path string, do func(*subscriptions.File) error) error {
	f, err := subscriptions.OpenReadOnly(path)
	if err != nil {
		return unprefixed{err}
	}
	defer f.Close()
	if err := do(f); err != nil {
		return planned(ctx, unprefixed{err})
	}
	return nil
}

// printGraph prints what a graph is like.
func printGraph(w io.Writer, s subscriptions.Stats) error {
	fmt.Fprintf(w, "%d users, %d subscriptions\n", s.Users, s.Subscriptions)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\tusers\tmean\tmedian\tp99\tlargest\tof\t")
	for _, row := range []struct {
		name string
		d    subscriptions.Degrees
	}{{"followers", s.Followers}, {"publishers", s.Publishers}} {
		d := row.d
		fmt.Fprintf(table, "%s\t%d\t%.1f\t%d\t%d\t%d\t%d\t\n", row.name, d.Users, d.Mean, d.Median, d.P99, d.Largest, d.Of)
	}
	return table.Flush()
}

func newExport(env *Env) *cobra.Command {
	return describe(&cobra.Command{
		Use:  "export FILE",
		Args: exactly(1, 1, "a file of subscriptions: comet subscriptions export friends.db"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, out := cmd.Context(), env.Stdout
			_, err := await(ctx, func() (struct{}, error) { // a write may wait for who reads a pipe
				return struct{}{}, withGraph(ctx, args[0], func(f *subscriptions.File) error {
					return f.Export(ctx, out)
				})
			})
			return err
		},
	}, "subscriptions-export")
}
