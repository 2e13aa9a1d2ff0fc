// Package depmap draws who depends on whom: hosts as boxes with their services
// and endpoints, and the clients of those, with every position computed here,
// so that a browser, a plain SVG and a program show the same picture.
//
// What is read is bounded, and the map says what was left out.
package depmap
