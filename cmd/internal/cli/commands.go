package cli

import (
	"github.com/spf13/cobra"

	"example.org/comet/sysctl"
)

// commands lists them in the order of the help: the experiment, then its parts
// from the server to the picture.
func commands(env *Env) []*cobra.Command {
	return []*cobra.Command{
		newBench(env),
		newServe(env),
		newRouter(env),
		newSend(env),
		newMsggen(env),
		newFlood(env),
		newMemlog(env),
		newPlot(env),
		newSysctl(env, sysctl.Machine{}),
	}
}
