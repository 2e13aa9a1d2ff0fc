// Package collectors lists the collectors that a probe runs.
package collectors
