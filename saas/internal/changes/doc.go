// Package changes shows what changed on hosts: the history of facts, newest
// first, each version beside the one before as differences that a person reads.
package changes
