// Package fleet runs copies of this program as processes of their own: it starts
// them, hears what they say, notices when one dies, and ends them in order.
//
//	f := &fleet.Fleet{Executable: path, Say: log.Print}
//	p, err := f.Start(ctx, fleet.Spec{Name: "serve", Args: []string{"--json"}})
//	err = p.Await(ctx, "listening", 20*time.Second, &listening)
//	err = f.Watch(ctx, work)             // ends early if p dies
//	err = f.StopAll(ctx, fleet.Grace{Each: 20 * time.Second}, []*fleet.Process{p})
//
// A process speaks in lines of JSON with a "type", and ends when its standard
// input does. It therefore ends with its parent however the parent ends, and on
// every system.
package fleet
