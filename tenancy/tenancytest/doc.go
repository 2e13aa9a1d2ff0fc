// Package tenancytest is an attacker: it knows every address, identifier and name
// of a tenant, is a member of another, and tries to read, change or even notice
// anything of the first.
//
// Its cases are not written down one by one. They are generated from what the
// service itself says that it has: its route table and the description of its
// API, the catalogue of questions, the tables, functions and roles in Postgres's
// catalog, the exported methods of its packages. Whatever is new is attacked by
// itself; where the attacker needs to be told something (what a new path parameter
// stands for, what body a new route takes) the suite fails and says what to add.
//
// A leak is any of these:
//
//   - a value of the victim in an answer, an error or a row: every text of the
//     victim's holds its marker, and its identifiers are read from the catalog;
//   - an answer about the victim's thing that differs from the answer about a thing
//     that nobody has;
//   - a row of the victim that is another than before, in any table or graph.
//
// The package knows nothing of the service: saas/isolation_test.go hands it a
// service with two tenants. The guards that keep tenants apart are broken one by
// one by the mutants of tenancytest/mutants; the suite must notice each.
package tenancytest
