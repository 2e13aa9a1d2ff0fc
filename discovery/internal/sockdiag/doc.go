// Package sockdiag lists the kernel's TCP and UDP sockets by sock_diag(7). Its
// parser is total: any bytes give a value or an error.
package sockdiag
