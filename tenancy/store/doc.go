// Package store is the only door to the database. Nothing else opens a
// connection, so whatever keeps tenants apart in Postgres is said here:
//
//   - Every tenant has two roles, a reader and a writer, with rights on its own
//     graph's schema; on the shared tables of schema assim they see the rows of
//     their tenant only, by row-level security that looks the tenant up by
//     current_user.
//   - The service logs in as one of three roles without rights of their own: a
//     member of all writers (In), a member of all readers (Read), and one for
//     people, sessions and the lookups that come before a tenant is known
//     (Global). Login and role never mix: no transaction of Read can become a
//     writer.
//   - The administrator's URL is used to migrate and to provision, and kept in no
//     pool.
//
// Inside a transaction names resolve in assim, then ag_catalog.
package store
