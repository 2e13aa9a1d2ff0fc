// Package archtest holds the rules of this house as tests: who may import whom
// (one table, rules_test.go), and what every package and file owes its reader.
// Rules about packages that do not exist yet hold from their first day.
package archtest
