package saas

// equivalents are mutants, by sort and name as a regular expression, that let nobody
// do more than before, and why.
var equivalents = map[string]string{
	// Another guard stands behind.
	`route.*accounts/pages_own.go:\d+ "POST /account/tenant" asks only who it is.*`:                                     "the page is for who gave a password, and whoever has such a session has a role in its tenant",
	`entry.*rights.go:\d+ OwnSecrets: Role Role\(""\), not Viewer`:                                                      "tokens do not reach it, and whoever has a session has a role in its tenant",
	`entry.*rights.go:\d+ OwnTokens: Role Role\(""\), not Viewer`:                                                       "who has no role gives none to a token: createToken",
	`entry.*rights.go:\d+ (Own\w*|ReadMembers|ShareView|CreateSite|Set\w+|\w+Tenant|ReadAudit|ManageMembers) at a site`: "no route that does it has a site in its path, and mayThere wants one",
	`entry.*rights.go:\d+ AskSite for who owes a second factor`:                                                         "the route reads first, and who owes may not",
	`refusal.*web/auth.go:\d+ not: cookie.Value == ""`:                                                                  "it is not of a session's length",
	`refusal.*web/auth.go:\d+ not: len\(raw\) != sessionSize`:                                                           "the hash of anything else is no session's",
	`refusal.*accounts/credentials_api.go:\d+ not: len\(hash\) != 32`:                                                   "a hash of another length is no session's",
	`refusal.*members/invitations.go:\d+ not: len\(raw\) != 32`:                                                         "the hash of anything else is no invitation's",
	`refusal.*web/permit.go:\d+ not: len\(actor.Sites\) == 0`:                                                           "it saves a look into the database: no site gives a role that nobody has",
	`refusal.*web/permit.go:\d+ not: !ok`:                                                                               "then the site is none, and nobody has a role there",
	`refusal.*tenancy/role.go:\d+ not: rank\[Role\(s\)\] == 0`:                                                          "an unknown role allows nothing, and is allowed by none: Allows",
	`condition.*sso/enter.go:\d+ not: tenant = \$1 in SELECT role FROM assim.members.*`:                                 "who is no member of the tenant gets no session: accounts.Enter",
	`condition.*sso/enter.go:\d+ not: m.tenant = \$1 in SELECT u.id, EXISTS .*`:                                         "enter asks for the role in the tenant next, and rolls back without one",

	`(refusal|yes).*tenancy/token.go:\d+ (not: (len|parts|t.Kind|crcText|!all62|!ok|payload|!utf8|bytes|s == ""|'[aA]').*|\w+ says yes)`: "the form of a token, and what an enrolment's says of relays: whoever does not have the whole secret is refused by ByToken",

	// They let less: nobody comes in where somebody should.
	`refusal.*web/auth.go:\d+ not: header != ""`:              "tokens let nobody in any more",
	`refusal.*tenancy/rights.go:\d+ not: [ab].Allows\([ab]\)`: "the weaker of two roles is none then",

	`refusal.*tenancy/rights.go:\d+ not: r == Admin`:  "nobody is made an admin of a site",
	`refusal.*tenancy/token.go:\d+ not: b\[0\] < 248`: "no token is ever made",

	// They keep a service in order, and nobody apart.
	`refusal.*accounts/credentials.go:\d+ not: (f.SeenAt|now.Sub|t.LastUsedAt).*`:                                     "a use is noted more or less often",
	`refusal.*accounts/tenants.go:\d+ not: (!s.signups.Allow|owned >= maxOwned).*`:                                    "how many tenants somebody makes",
	`refusal.*members/invitations.go:\d+ not: (!s.letters.Allow|isMember).*`:                                          "how many letters a tenant sends, and to whom it need not",
	`refusal.*members/invitations.go:\d+ not: (a.Address|a.Name|len\(s\)|strings.ContainsFunc).*`:                     "the form of an address",
	`refusal.*members/members.go:\d+ not: (role == ""|m.Sites\[at\] == ""|isMissing\(err\)).*`:                        "the database refuses what is no role, and no site; how many roles at sites there may be",
	`refusal.*deletion/deletion.go:\d+ not: (!r.confirm|errors.Is.*)`:                                                 "it keeps an owner from mistakes, or words a failure",
	`refusal.*not: errors.Is\(err, pgx.ErrNoRows\)`:                                                                   "it words a failure",
	`refusal.*topology/ask.go:\d+ not: (len\((open|parts|at.relays)\)|ofTenant|ofSite|at.seen|now.Sub).*`:             "how many questions wait, and what is said where no relay answers",
	`refusal.*web/actor.go:\d+ not: a.Token != ""`:                                                                    "the audit log names the person without the token",
	`refusal.*web/api.go:\d+ not: (t.Name|unicode.IsUpper).*`:                                                         "names in the description of the API",
	`refusal.*web/page.go:\d+ not: (r.Method|r.URL.Path|from.Host|!strings.HasPrefix).*`:                              "to which of our own pages people are led when they have come in",
	`refusal.*web/permit.go:\d+ not: r == ""`:                                                                         "it words a refusal",
	`refusal.*web/permit.go:\d+ not: s.config.Places == nil`:                                                          "the service always has one",
	`(refusal|yes).*web/stream.go:\d+ (not: (!s.watching|a.User|errors.Is|w.count|!s.reading|text|!more)|add says).*`: "how many live streams there are at once, and how they end; who may listen is asked by permit",
	`condition.*accounts/login.go:\d+ not: user_id = \$1 in SELECT count\(\*\) FROM assim.known_addresses.*`:          "whether people are told by letter of their own first log-in",
	`condition.*members/store.go:\d+ not: tenant = \$1 in SELECT FROM assim.members .* FOR UPDATE`:                    "changes of two tenants wait for one another",
}
