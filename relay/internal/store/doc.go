// Package store keeps everything that a relay must not forget: who it is, its
// hosts, tokens and facts, and the records that the service has not
// acknowledged yet. It is one SQLite database in WAL mode.
//
// # Why nothing acknowledged is lost
//
// State and outbox change in one transaction: a fact that became current and
// the record that says so are both there, or neither is. Whoever waits for a
// write (the probe's acknowledgement, the uplink's deletion) hears of it only
// after COMMIT returned, and with synchronous=FULL COMMIT returns only after
// the write-ahead log was synced to disk. A crash at any moment therefore
// leaves the database as of some commit, at or after the last one that anybody
// was told of. What was not told is sent again by its source, and is then
// recognised: facts by their content hash, enrolments by the probe's key,
// batches by the stream's position.
//
// The next sequence number and the running hash are kept in memory as well, but
// never believed over the disk: they are adopted after COMMIT, dropped with a
// rollback, and read from the stream's row at the start.
//
// # One writer
//
// One goroutine owns the only connection that writes. It gathers the writes of
// a few milliseconds and commits them together, so a sync is paid per group and
// not per fact. A write that fails takes its group down; the group is then
// repeated one by one, so that only the faulty write is refused. Hence the
// functions given to Submit and Do may run twice, and must set their results
// anew each time.
//
// A lock on the file "lock" in the same folder keeps a second process out: two
// writers would fork the stream. SQLite before 3.51.3 could corrupt a WAL
// database under several connections, so Open refuses it.
package store
