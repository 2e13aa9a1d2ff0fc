// Package conffiletest tests kinds that are made of configuration files, over
// files that a test writes down.
package conffiletest
