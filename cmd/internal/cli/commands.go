package cli

import (
	"github.com/spf13/cobra"

	"example.org/comet/sysctl"
)

// commands lists them in the order of the help: the experiment, then its parts
// from the server to the picture.
func commands(env *Env) []*cobra.Command {
	return []*cobra.Command{
		newBench(env, runBench),
		newServe(env, runServe),
		newRouter(env, runRouter),
		newSend(env, runSend),
		newMsggen(env, runMsggen),
		newFlood(env, runFlood),
		newMemlog(env, runMemlog),
		newPlot(env, runPlot),
		newSysctl(env, sysctl.Machine{}, runSysctl),
		newVersion(env),
		newCompletion(),
	}
}
