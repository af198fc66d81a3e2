// Package agent has load on several hosts as one. A host runs an [Agent], which waits at
// NATS for work; whoever has work calls a [Crew] together, and starts floods on its
// hosts that look like processes of its own fleet:
//
//	crew, err := agent.Muster(ctx, agent.Call{Servers: servers, Agents: flags.Agents{Count: 4}})
//	defer crew.Close()
//	shares, err := agent.Divide(agent.Load{Connections: 100_000}, crew.Hosts())
//	p, err := crew.Hosts()[0].Start(ctx, f, agent.Order{Config: cfg}, onSample)
//
// An agent takes settings of a flood with the contents of their files, never paths or
// commands. It works for one at a time, and stops its load when it has not heard from
// it for 4 s. A host that has not been heard of for 5 s is lost, by name, and with it
// its floods.
//
// On NATS they use, below the subject prefix of messages,
//
//	agent.call.all       who is there?           answered by each agent
//	agent.take.<agent>   will you work for me?   answered by the agent
//	agent.clock.<agent>  what time is it?        answered by the agent
//	agent.down.<session>                         frames to the agent
//	agent.up.<session>                           frames from it
//
// Frames are numbered: one that is lost on the way loses the host.
package agent
