// Package netlab makes network namespaces for tests. A namespace belongs to one
// thread and goes with it: nothing has a name in the file system, so nothing is
// left behind.
package netlab
