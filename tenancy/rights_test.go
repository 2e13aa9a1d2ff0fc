package tenancy

import "testing"

// matrix is who may do what in the whole tenant: o owner, a admin, p operator,
// v viewer, - who has a role at a single site only. The second column is who may
// at a site where they have the role.
var matrix = map[Action][2]string{
	Identify:      {"oapv-", ""},
	Own:           {"oapv", ""},
	OwnSecrets:    {"oapv", ""},
	OwnTokens:     {"oapv", ""},
	Read:          {"oapv", "oapv"},
	ReadMembers:   {"oapv", ""},
	AskSite:       {"oap", "oap"},
	RetireHost:    {"oap", "oap"},
	ShareView:     {"oap", ""},
	CreateSite:    {"oa", ""},
	ManageSite:    {"oa", "oa"},
	SetTenant:     {"oa", ""},
	ReadAudit:     {"oa", ""},
	ManageMembers: {"oa", ""},
	SetExport:     {"oa", ""},
	SetEntry:      {"o", ""},
	ExportTenant:  {"oa", ""},
	DeleteTenant:  {"o", ""},
}

func TestRights(t *testing.T) {
	roles := map[byte]Role{'o': Owner, 'a': Admin, 'p': Operator, 'v': Viewer, '-': "", 'x': "king"}
	has := func(s string, c byte) bool {
		for i := range len(s) {
			if s[i] == c || c == 'x' && s[i] == '-' { // an unknown role is none
				return true
			}
		}
		return false
	}
	for _, a := range Actions() {
		want, ok := matrix[a]
		if !ok {
			t.Errorf("action %q is not in the matrix", a)
		}
		for c, role := range roles {
			if got := role.May(a); got != has(want[0], c) {
				t.Errorf("%q may %q: %v", role, a, got)
			}
			if got := role.MayAt(a); got != has(want[1], c) {
				t.Errorf("%q may %q at a site: %v", role, a, got)
			}
		}
	}
	if len(matrix) != len(Actions()) {
		t.Errorf("%d actions, %d in the matrix", len(Actions()), len(matrix))
	}
	for _, unknown := range []Action{"", "rule the world"} {
		if Owner.May(unknown) || Owner.MayAt(unknown) {
			t.Errorf("an owner may %q", unknown)
		}
	}
}

// What changes people, how they come in, or where data goes, wants a proof that is fresh; what is
// a person's own is not reached for them by a token.
func TestWhatWantsProof(t *testing.T) {
	for _, a := range Actions() {
		right, _ := RightFor(a)
		wants := a == OwnSecrets || a == OwnTokens || a == ManageMembers || a == SetExport || a == SetEntry || a == ExportTenant || a == DeleteTenant
		if right.Proof != wants || right.Personal != (a == OwnSecrets) {
			t.Errorf("%q: %+v", a, right)
		}
	}
}

func TestWeaker(t *testing.T) {
	for _, test := range []struct{ a, b, want Role }{{Owner, Viewer, Viewer}, {Viewer, Owner, Viewer}, {Admin, Admin, Admin}, {Owner, "", ""}, {"king", Viewer, ""}} {
		if got := Weaker(test.a, test.b); got != test.want {
			t.Errorf("weaker of %q and %q: %q, want %q", test.a, test.b, got, test.want)
		}
	}
}
