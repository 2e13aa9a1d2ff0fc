package discovery

import "strings"

// ScriptPrefix begins the names of the kinds of script agents, and of no others:
// the customer's own programs, whose bodies no schema describes.
const ScriptPrefix = "x-"

// IsScript reports whether a kind is that of a script agent.
func IsScript(kind string) bool { return strings.HasPrefix(kind, ScriptPrefix) }

// Family is a Collector that finds further collectors, as the folder of scripts
// holds one for each script. Members are those that its last Collect found; of two
// calls, members that are equal (==) are the same. The facts of a kind that is a
// member no more are gone.
type Family interface {
	Collector
	Members() []Collector
}
