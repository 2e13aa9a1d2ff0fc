// Package collect makes facts of the kind "sockets".
//
// The kernel's list of sockets is read at every poll by sock_diag(7), which is
// cheap; which processes hold a socket is found by reading /proc/PID/fd of all
// processes, which is not, and so is done only when a socket is met that was
// not there before, and once a minute.
package collect
