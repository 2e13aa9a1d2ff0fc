package tenancy

import "fmt"

// Action is a thing that a route does. What each needs is said in one table,
// rights, and nowhere else.
type Action string

// The actions.
const (
	Identify      Action = "identify"       // ask who one is, log out
	Own           Action = "own"            // see and end one's own sessions and tokens
	OwnSecrets    Action = "own secrets"    // one's own password, address and second factor
	OwnTokens     Action = "own tokens"     // make an API token that may do at most what its maker may
	Read          Action = "read"           // hosts, graph, history, verdicts
	ReadMembers   Action = "read members"   // who belongs to the tenant
	AskSite       Action = "ask a site"     // a question that its relays answer, with what stays in the site
	RetireHost    Action = "retire a host"  // and what else is done to single hosts
	ShareView     Action = "share a view"   // of a page, with everybody of the tenant
	CreateSite    Action = "create a site"  //
	ManageSite    Action = "manage a site"  // its policy, relays and enrolment tokens
	SetTenant     Action = "set the tenant" // its name, its history
	ReadAudit     Action = "read the audit log"
	ManageMembers Action = "manage members" // invite, remove, give a role up to one's own
	SetExport     Action = "set what is sent elsewhere"
	SetEntry      Action = "set how people enter"
	ExportTenant  Action = "export the tenant" // all that it holds, but secrets
	DeleteTenant  Action = "delete the tenant"
)

// Right is what an action needs.
type Right struct {
	Role Role // in the whole tenant; "" where whoever is known may
	// AtSite is the role at a single site that is enough for what is done there;
	// "" where no site can give the right.
	AtSite Role
	// Proof: whoever does it in a browser has shown a secret a short while ago.
	Proof bool
	// Personal: it is about the person, not the tenant. An API token, or a session that the tenant's
	// identity provider began, does not reach it.
	Personal bool
	// Entering: a person who still owes the tenant a second factor may do it.
	Entering bool
}

var rights = map[Action]Right{
	Identify:      {Entering: true},
	Own:           {Role: Viewer, Entering: true},
	OwnSecrets:    {Role: Viewer, Proof: true, Personal: true, Entering: true},
	OwnTokens:     {Role: Viewer, Proof: true},
	Read:          {Role: Viewer, AtSite: Viewer},
	ReadMembers:   {Role: Viewer},
	AskSite:       {Role: Operator, AtSite: Operator},
	RetireHost:    {Role: Operator, AtSite: Operator},
	ShareView:     {Role: Operator},
	CreateSite:    {Role: Admin},
	ManageSite:    {Role: Admin, AtSite: Admin},
	SetTenant:     {Role: Admin},
	ReadAudit:     {Role: Admin},
	ManageMembers: {Role: Admin, Proof: true},
	SetExport:     {Role: Admin, Proof: true},
	SetEntry:      {Role: Owner, Proof: true},
	ExportTenant:  {Role: Admin, Proof: true},
	DeleteTenant:  {Role: Owner, Proof: true},
}

// Actions lists all actions, for tests and the documentation.
func Actions() (all []Action) {
	for a := range rights {
		all = append(all, a)
	}
	return all
}

// RightFor is what an action needs; false for one that is not in the table,
// which nobody may do.
func RightFor(a Action) (Right, bool) {
	r, ok := rights[a]
	return r, ok
}

// May reports whether the role suffices for the action in the whole tenant.
func (r Role) May(a Action) bool {
	right, ok := rights[a]
	return ok && (right.Role == "" || r.Allows(right.Role))
}

// MayAt reports whether the role, held at one site, suffices for the action
// there.
func (r Role) MayAt(a Action) bool {
	right, ok := rights[a]
	return ok && right.AtSite != "" && r.Allows(right.AtSite)
}

// ParseSiteRole reads the name of a role that can be held at a single site.
func ParseSiteRole(s string) (Role, error) {
	if r := Role(s); r == Admin || r == Operator {
		return r, nil
	}
	return "", fmt.Errorf("role %.40q is not one of admin, operator", s)
}

// Weaker is the role that both roles allow; none when either is unknown.
func Weaker(a, b Role) Role {
	switch {
	case a.Allows(b):
		return b
	case b.Allows(a):
		return a
	}
	return ""
}
