// Package rtnetlink reads the kernel's links, addresses, routes and neighbours
// by rtnetlink(7). Its parsers are total: any bytes give a value or an error.
package rtnetlink
