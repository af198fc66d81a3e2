// Package flags binds the flags of comet's commands to the Configs that they
// fill in, and renders a filled-in command as arguments of a child process by
// the same code, so that no flag is spelled in two places.
//
//	var cmd flags.FloodCommand
//	cmd.Bind(fs)           // a command line becomes a Config
//	args := flags.Args(cmd) // a Config becomes a command line
//
// A binder writes in place: parsing sets the fields. A field that is zero stands
// for the flag's default. A flag's 0 means none, or what the help says of 0, or
// it is refused with the least value; it never silently means the default.
//
// No flag takes a secret, which every user of the machine could read: flags name
// the file, see [Secret].
package flags
