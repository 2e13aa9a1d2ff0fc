package tenancy

import "fmt"

// Role is what a person or an API token may do in one tenant. Each role can do
// all that the ones below it can.
type Role string

// The roles, strongest first.
const (
	Owner    Role = "owner"    // members, deletion of the tenant
	Admin    Role = "admin"    // sites, relays, tokens, settings
	Operator Role = "operator" // retire a host, acknowledge, ask a site
	Viewer   Role = "viewer"   // read
)

var rank = map[Role]int{Viewer: 1, Operator: 2, Admin: 3, Owner: 4}

// Allows reports whether r may do what needs the role wanted.
// An unknown role allows nothing.
func (r Role) Allows(wanted Role) bool {
	return rank[r] > 0 && rank[wanted] > 0 && rank[r] >= rank[wanted]
}

// ParseRole reads a role's name.
func ParseRole(s string) (Role, error) {
	if rank[Role(s)] == 0 {
		return "", fmt.Errorf("role %.40q is not one of owner, admin, operator, viewer", s)
	}
	return Role(s), nil
}

// Invitation is what somebody was asked to join.
type Invitation struct {
	Email      string
	Tenant     TenantID
	TenantName string
	Role       Role
}
