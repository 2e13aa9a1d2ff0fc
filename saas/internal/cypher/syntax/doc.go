// Package syntax reads the text of a question in Cypher and returns its tree: a
// read-only part of openCypher 9. It knows no labels, types or SQL.
//
// Whatever the text holds, reading takes time linear in its length, recursion
// is bounded, and each refusal is a *Problem that points at the place and says
// what is meant or missing.
package syntax

// Bounds of a question. They are far beyond what people write.
const (
	MaxText      = 16 << 10 // bytes
	MaxDepth     = 40       // of expressions within expressions
	MaxRelations = 16       // relationships in all patterns together
	MaxNodes     = 24       // nodes in all patterns together
	MaxClauses   = 32
	MaxHops      = 8 // of a pattern of variable length
)
