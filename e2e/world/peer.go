package world

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"testing"
)

// A peer is the test program itself, started again as a plain program that
// listens or connects, for the probes to discover. TestMain must call PeerMain
// first.

// PeerMain becomes a peer if that is what the command line asks for; else it
// returns.
func PeerMain() {
	if len(os.Args) < 4 || os.Args[1] != "peer" {
		return
	}
	var err error
	switch os.Args[2] {
	case "listen":
		err = listen(os.Args[3])
	case "connect":
		err = connect(os.Args[3])
	}
	fmt.Fprintln(os.Stderr, "peer:", err)
	os.Exit(1)
}

func listen(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	var held []net.Conn
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		held = append(held, c)
		fmt.Println("accepted", len(held))
	}
}

func connect(address string) error {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	_, err = c.Read(make([]byte, 1)) // until the other side goes
	return err
}

// Peer starts a peer: action is "listen" or "connect". More arguments are
// ignored by it, and visible on its command line.
func Peer(t testing.TB, n Node, action, address string, more ...string) *Process {
	t.Helper()
	p := Start(t, "peer "+action, func() *exec.Cmd {
		return placed(n, os.Args[0], append([]string{"peer", action, address}, more...)...)
	})
	p.Says("ready", Patience)
	return p
}
