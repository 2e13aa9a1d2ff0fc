// Package deletion proves that a tenant that was deleted has left nothing in the
// database: two tenants with real programs; one is exported, deleted while the
// service is killed in the middle, and then looked for in every row of every table
// of every schema. See deletion_test.go; make e2e-deletion.
package deletion
