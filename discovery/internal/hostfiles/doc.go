// Package hostfiles is the file system of this host for collectors that read where
// its users may write: nobody can make them wait.
package hostfiles
