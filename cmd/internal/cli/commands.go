package cli

import (
	"github.com/spf13/cobra"

	"example.org/comet/sysctl"
)

// commands lists them in the order of the help: the experiment, then its parts
// from the server to the picture.
func commands(env *Env) []*cobra.Command {
	return []*cobra.Command{
		layered(env, newBench(env, runBench), true),
		newCompare(env, runCompare),
		layered(env, newCapacity(env, runCapacity), true),
		layered(env, newServe(env, runServe), false),
		layered(env, newRouter(env, runRouter), false),
		newSend(env, runSend),
		layered(env, newMsggen(env, runMsggen), false),
		layered(env, newFlood(env, runFlood), true),
		layered(env, newAgent(env, runAgent), false),
		layered(env, newMemlog(env, runMemlog), false),
		newPlot(env, runPlot),
		newSubscriptions(env),
		newSysctl(env, sysctl.Machine{}, runSysctl),
		newConfig(env),
		newHealth(env, runHealth),
		newVersion(env),
		newCompletion(),
		newMan(env),
		newTargets(),
	}
}
