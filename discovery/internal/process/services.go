package process

import (
	"assimilation/discovery"
	"assimilation/discovery/internal/jsontext"
)

// systemUsers have numbers below this one (login.defs(5), SYS_UID_MAX).
const systemUsers = 1000

// IsSystem reports whether a user is one of the system's own.
func IsSystem(uid int64) bool { return uid >= 0 && uid < systemUsers }

// Services are those in facts of the kind "sockets", those of the system's own users
// first: where only some can be looked at, nobody crowds these out.
func Services(facts []discovery.Fact) []jsontext.Value {
	var system, others []jsontext.Value
	for _, fact := range facts {
		body, err := jsontext.Parse(string(fact.Body))
		if err != nil {
			continue
		}
		for _, service := range body.Get("services").Items() {
			if IsSystem(service.Get("uid").Int()) {
				system = append(system, service)
			} else {
				others = append(others, service)
			}
		}
	}
	return append(system, others...)
}
