package asked

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/tenancy/store/storetest"
)

func TestQuestionsAreRememberedForWhoAsked(t *testing.T) {
	db := storetest.Open(t)
	tenant := storetest.Tenant(t, db)
	person := func(email string) web.Actor {
		id := tenancy.NewID[tenancy.UserID]()
		if err := db.Global(t.Context(), func(tx pgx.Tx) error {
			if _, err := tx.Exec(t.Context(), `INSERT INTO assim.users (id, email, password_hash) VALUES ($1, $2, '')`, id, email); err != nil {
				return err
			}
			_, err := tx.Exec(t.Context(), `INSERT INTO assim.members (tenant, user_id, role) VALUES ($1, $2, 'viewer')`, tenant, id)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return web.Actor{User: id, Email: email, Tenant: tenant, Role: tenancy.Viewer}
	}
	ada, bob := person("ada@example.org"), person("bob@example.org")
	s := &Service{DB: db}
	remember := func(a web.Actor, address, said string) {
		t.Helper()
		if err := s.Remember(t.Context(), a, address, said); err != nil {
			t.Fatal(err)
		}
	}
	shows := func(a web.Actor, prefix string) string {
		t.Helper()
		panel, err := s.Recent(t.Context(), a, prefix)
		if err != nil {
			t.Fatal(err)
		}
		var page strings.Builder
		if err := panel.Render(t.Context(), &page); err != nil {
			t.Fatal(err)
		}
		return page.String()
	}
	remember(ada, "/queries/findip?ip=10.0.0.1", "findip ip=10.0.0.1")
	remember(ada, "/queries/findip?ip=10.0.0.1", "findip ip=10.0.0.1")
	remember(ada, "/cypher?q=x", "MATCH (n) RETURN n")
	remember(bob, "/queries/findip?ip=10.9.9.9", "findip ip=10.9.9.9")
	token := ada
	token.Token = "abc"
	remember(token, "/queries/down?x", "a program's")
	remember(web.Actor{Tenant: tenant, User: tenancy.NewID[tenancy.UserID]()}, "/queries/down?y", "a stranger's")
	remember(ada, "/queries/?"+strings.Repeat("x", maxAddress), "too long")

	if page := shows(ada, "/queries/"); !strings.Contains(page, "findip ip=10.0.0.1") || !strings.Contains(page, `<td class="num">2</td>`) ||
		strings.Contains(page, "10.9.9.9") || strings.Contains(page, "MATCH") || strings.Contains(page, "program") || strings.Contains(page, "too long") {
		t.Error(page)
	}
	if page := shows(ada, "/cypher?"); !strings.Contains(page, "MATCH (n) RETURN n") {
		t.Error(page)
	}
	for i := range maxKept + 5 {
		remember(bob, fmt.Sprintf("/queries/findip?ip=%d", i), "findip")
	}
	var kept int
	if err := db.Read(t.Context(), tenant, func(tx pgx.Tx) error {
		return tx.QueryRow(t.Context(), `SELECT count(*) FROM assim.asked WHERE person = $1`, bob.User).Scan(&kept)
	}); err != nil || kept != maxKept {
		t.Errorf("%d questions of one person are kept, %v", kept, err)
	}
}
