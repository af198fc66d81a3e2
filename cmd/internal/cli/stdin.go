package cli

import (
	"context"
	"io"

	"github.com/spf13/pflag"
)

// endWithStdin adds the hidden flag by which a command that bench started ends
// when bench does, however bench ended: its pipe closes. That works on every
// system, which signals do not.
func endWithStdin(f *pflag.FlagSet, on *bool) {
	const name = "end-with-stdin"
	f.BoolVar(on, name, false, "end when standard input does")
	_ = f.MarkHidden(name) // fails only for a name that is no flag
}

// untilEOF returns a context that ends when r does.
func untilEOF(ctx context.Context, r io.Reader) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, r) // an error is an end as well
		cancel()
	}()
	return ctx
}
