package tenancytest

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"
)

// DigestOfPerson is a hash of all rows that name somebody: what others do to each
// other must leave a bystander alone.
func DigestOfPerson(ctx context.Context, admin *pgx.Conn, id string) (Digest, error) {
	columns, err := texts(ctx, admin, `SELECT quote_ident(c.relname) || '.' || quote_ident(a.attname) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
		WHERE c.relnamespace = 'assim'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attname IN ('user_id', 'person', 'owner', 'inviter') AND c.relname <> 'audit' ORDER BY 1`)
	if err != nil {
		return nil, err
	}
	d := Digest{}
	for _, name := range columns {
		table, column, _ := strings.Cut(name, ".")
		var text string
		if err := admin.QueryRow(ctx, `SELECT count(*) || ' rows ' || md5(coalesce(string_agg(t::text, ',' ORDER BY t::text), '')) FROM assim.`+table+` t WHERE `+column+` = $1`, id).Scan(&text); err != nil {
			return nil, fmt.Errorf("digest of %s: %w", name, err)
		}
		d[name] = text
	}
	return d, nil
}

var givenRole = regexp.MustCompile(`("role": ?"|\brole=)\w+`)

// Elevations lets somebody who may give roles give, and take, those above their own:
// standing, which tells who has such a role, must stay as it is. superior is a
// member with a role above theirs.
func (s *Service) Elevations(report *Report, routes []Route, superior string, standing func() string, actors ...Member) {
	for _, r := range routes {
		people := strings.Contains(r.Path, "/members/{id}")
		if r.Program || r.Safe() || !people && !givenRole.MatchString(s.Bodies[r.Name()]) {
			continue
		}
		t := s.Attacker
		t.Values = with(t.Values, map[string][]string{"members/{id}": append([]string{superior}, t.Values["members/{id}"]...),
			"?actor": {"somebody-new@example.org"}}) // who is a member already is not invited
		for _, m := range actors {
			for _, n := range r.filled(t) {
				for _, role := range []string{"owner", "operator"} {
					if role == "operator" && !strings.Contains(n.path, superior) || report.Done() {
						continue // it is theirs to give
					}
					body, _ := s.body(r, t)
					body = givenRole.ReplaceAllString(body, "${1}"+role)
					report.Try("roles above one's own", m.Name+" "+r.Method+" "+n.path+" "+role, func() string {
						before := standing()
						a := s.Send(m.As, r.Method, n.path, body)
						if after := standing(); after != before {
							return fmt.Sprintf("answers %d; who is above was %s, is %s", a.Status, before, after)
						}
						return ""
					})
				}
			}
		}
	}
}
