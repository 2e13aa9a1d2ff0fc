// Package frames listens on packet sockets (packet(7)) to the few frames that a
// filter in the kernel lets pass. It never sends.
//
// A socket is bound to one EtherType: the kernel hands it nothing else, so that
// the host's other traffic costs no more than before, and wakes nobody.
package frames
