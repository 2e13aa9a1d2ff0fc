package framestest

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"assimilation/discovery/internal/netlab"
)

// Send sends a frame on a link of the laboratory.
func Send(t testing.TB, lab *netlab.Net, device string, frame []byte) {
	t.Helper()
	var err error
	lab.Do(func() { err = send(device, frame) })
	if err != nil {
		t.Fatalf("sending a frame on %s: %v", device, err)
	}
}

func send(device string, frame []byte) error {
	link, err := net.InterfaceByName(device)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: link.Index})
}
