// Package collect makes facts of the kind "cron".
package collect
