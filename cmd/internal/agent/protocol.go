package agent

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"example.org/comet/cmd/internal/probe"
	"example.org/comet/cmd/internal/version"
	"example.org/comet/sysctl"
)

// Protocol is the number of what agents and those who have work for them say to each
// other. Both sides must have the same. It changes with each change of a frame, an
// order or the flags of a flood that an order may have.
const Protocol = 1

// rhythm is how often a side is heard, and after which silence of the other it takes it
// for lost.
type rhythm struct{ every, patience time.Duration }

// An agent has to have stopped its load 5 s after it lost its coordinator, whom it heard
// up to a second before that.
var (
	agentRhythm       = rhythm{time.Second, 4 * time.Second}
	coordinatorRhythm = rhythm{time.Second, 5 * time.Second}
)

// routerPatience is how long the router may take to pass something on.
const routerPatience = 4 * time.Second

// The words of the subjects.
const (
	callVerb  = "call"
	takeVerb  = "take"
	clockVerb = "clock"
	downVerb  = "down"
	upVerb    = "up"
	everybody = "all"
)

// caller is who calls for agents, or takes one.
type caller struct {
	Protocol int    `json:"protocol"`
	Version  string `json:"version"`
	Name     string `json:"name"`
	Session  string `json:"session,omitempty"`
}

// Announcement is what an agent says of itself and of its host. Name, Protocol and
// Version have been there in every protocol.
type Announcement struct {
	Protocol int    `json:"protocol"`
	Version  string `json:"version"`
	Name     string `json:"name"`
	// Instance is a word that no other agent has.
	Instance string `json:"instance"`
	Host     string `json:"host"`
	Cores    int    `json:"cores"`
	// System has the limits of the host, Addresses are its own.
	System    sysctl.System `json:"system"`
	Addresses []netip.Addr  `json:"addresses"`
	// Busy is whom it works for, "" for nobody.
	Busy string `json:"busy,omitempty"`
}

// UnmarshalJSON takes what is not said of the system for unknown.
func (a *Announcement) UnmarshalJSON(text []byte) error {
	type plain Announcement
	p := plain{System: sysctl.UnknownSystem()}
	err := json.Unmarshal(text, &p)
	*a = Announcement(p)
	return err
}

// String returns the agent's name, with the host's where that is another.
func (a Announcement) String() string {
	if a.Host == "" || a.Host == a.Name {
		return "agent " + a.Name
	}
	return fmt.Sprintf("agent %s (%s)", a.Name, a.Host)
}

// ours returns this program's part of an announcement.
func ours() string { return version.Get().Version }

// mismatch returns the error that the two sides do not understand each other.
func mismatch(who string, theirs int, theirVersion string) error {
	return fmt.Errorf("%s is comet %s, which speaks protocol %d to load hosts, and this is comet %s, which speaks %d: run the same comet on all hosts",
		who, theirVersion, theirs, ours(), Protocol)
}

// isWord reports whether a text from outside can be a word of a subject.
func isWord(text string) bool {
	const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	return text != "" && len(text) <= 64 && strings.Trim(text, letters) == ""
}

// answer is what an agent says to being taken: no error if it works for the caller from
// now on.
type answer struct {
	Error string `json:"error,omitempty"`
}

// kind is what a frame is about.
type kind string

// To an agent.
const (
	orderFrame   kind = "order"   // text: a piece of an order
	startFrame   kind = "start"   // the order is complete: start a process
	inputFrame   kind = "input"   // text: for its standard input
	endFrame     kind = "end"     // its standard input ends
	killFrame    kind = "kill"    // it ends at once
	askFrame     kind = "ask"     // a beat is wanted now; Deep asks for all of its usage
	releaseFrame kind = "release" // all is done
)

// From an agent.
const (
	startedFrame kind = "started" // with a PID, or an Error
	outputFrame  kind = "output"  // text: of its standard output
	errorsFrame  kind = "errors"  // text: of its standard error
	endedFrame   kind = "ended"   // with CPU and Error
	leaveFrame   kind = "leave"   // the agent ends; Error says why
)

// beatFrame is what both send each second.
const beatFrame kind = "beat"

// frame is one message of a session. A frame on the wire is its JSON, a line feed, and
// its text.
type frame struct {
	// N numbers those in one direction: 1, 2, 3...
	N       uint64 `json:"n"`
	Kind    kind   `json:"kind"`
	Process int    `json:"process,omitempty"`

	PID   int32         `json:"pid,omitempty"`
	CPU   time.Duration `json:"cpu_ns,omitempty"`
	Error string        `json:"error,omitempty"`
	// Usage has the processes of the host that could be measured, by PID; Deep says that
	// it is all of it.
	Usage map[int32]probe.Usage `json:"usage,omitempty"`
	Deep  bool                  `json:"deep,omitempty"`

	text []byte
}
