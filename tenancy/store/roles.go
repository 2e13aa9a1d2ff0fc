package store

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
)

// Passwords derives the password of a login role from its name. It must give
// the same answer in every process that uses the database.
type Passwords func(login string) string

// roles are the roles of one database. Roles belong to the whole cluster, so
// the database is part of their names.
type roles struct {
	writer, reader, global string // logins
	writers, readers       string // groups: what all tenants' roles may do with the shared tables
}

var plainName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

func rolesOf(database string) roles {
	p := RolePrefix(database)
	return roles{
		writer: p + "login_writer", reader: p + "login_reader", global: p + "login_global",
		writers: p + "tenant_writers", readers: p + "tenant_readers",
	}
}

// RolePrefix begins the names of the roles that belong to one database and to no
// tenant of it. They outlive the database: who drops it drops them.
func RolePrefix(database string) string {
	if plainName.MatchString(database) {
		return database + "_"
	}
	sum := sha256.Sum256([]byte(database))
	return "db_" + hex.EncodeToString(sum[:12]) + "_"
}

func (r roles) logins() []string { return []string{r.writer, r.reader, r.global} }
func (r roles) groups() []string { return []string{r.writers, r.readers} }

// replacer puts the quoted role names into access.sql.
func (r roles) replacer(database string) *strings.Replacer {
	return strings.NewReplacer("@writer@", quote(r.writer), "@reader@", quote(r.reader), "@global@", quote(r.global),
		"@writers@", quote(r.writers), "@readers@", quote(r.readers), "@database@", quote(database))
}

// The names that belong to one tenant: its graph's schema and its two roles.

func hexOf(t tenancy.TenantID) string { return hex.EncodeToString(t.UUID[:]) }

// Graph is the name of the tenant's graph and of the schema that holds it.
func Graph(t tenancy.TenantID) string { return "g_" + hexOf(t) }

func readerRole(t tenancy.TenantID) string { return "r_" + hexOf(t) }
func writerRole(t tenancy.TenantID) string { return "w_" + hexOf(t) }

func quote(parts ...string) string { return pgx.Identifier(parts).Sanitize() }
