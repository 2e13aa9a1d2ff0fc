// Package cypher answers questions that people write in Cypher. AGE's own
// executor never sees their text: package syntax reads it, check gives it
// meaning, compile makes SQL of it, and what is here runs that SQL as the
// tenant's reader, with limits, and shows it: API and page.
//
// docs/cypher.md describes the language, docs/adr/0009-cypher-to-sql.md why.
package cypher
