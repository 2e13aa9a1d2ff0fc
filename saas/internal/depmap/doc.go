// Package depmap draws who depends on whom: hosts as boxes with their services
// and endpoints, and the clients of those; and how they are connected: their
// addresses, subnets, switches and heartbeat rings. Every position is computed
// here, so that a browser, a plain SVG and a program show the same picture.
//
// What is read is bounded, and the map says what was left out. Dependencies of
// more hosts than can be drawn are drawn by the names of services.
package depmap
