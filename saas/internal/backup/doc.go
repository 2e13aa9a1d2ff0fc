// Package backup copies a whole deployment out of its database, and back.
//
// A backup is a tar file, packed with zstd, and sealed with age where it was given
// recipients:
//
//	manifest.json                        what there is: Manifest
//	assim/TABLE/000000.copy ...          rows of a table of schema assim
//	graph/TENANT/LABEL/000000.copy ...   rows of a label of a tenant's graph
//	end.json                             rows and digest of each table: End
//
// Rows are in the text format of Postgres' COPY, one per line, cut into parts at
// the ends of lines. All are of one snapshot, taken while the service runs. Rights,
// roles and indexes are not in it: the program knows how to make them. Neither is
// the master key, without which nobody opens the secrets that are in it.
//
// Digests find damage. Who could have written a backup is not told by them: a
// backup is to be restored where it comes from.
package backup
