package collect

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"assimilation/discovery/internal/netlab"
)

// childEnv makes the test binary a child that opens the sockets named by it,
// "listen tcp4 0.0.0.0:80" or "dial tcp 10.0.0.1:80" separated by semicolons,
// and holds them until its standard input ends.
const childEnv = "ASSIM_TEST_SOCKETS"

func beChild(what string) {
	var held []io.Closer
	for order := range strings.SplitSeq(what, ";") {
		words := strings.Fields(order)
		var socket io.Closer
		var err error
		switch {
		case words[0] == "dial":
			socket, err = net.Dial(words[1], words[2])
		case strings.HasPrefix(words[1], "udp"):
			socket, err = net.ListenPacket(words[1], words[2])
		default:
			socket, err = net.Listen(words[1], words[2])
		}
		if err != nil {
			fmt.Println(order, err)
			os.Exit(1)
		}
		held = append(held, socket)
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	for _, socket := range held {
		socket.Close()
	}
}

// start runs a child in the namespace until the test ends.
func start(t *testing.T, lab *netlab.Net, what string, argv ...string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], argv...)
	// The race detector would make each child wait for a second at its end.
	cmd.Env = append(os.Environ(), childEnv+"="+what, "GORACE=atexit_sleep_ms=0")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	lab.Do(func() { err = cmd.Start() })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("child %q: %v", what, err)
		}
	})
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("child says %q", line)
	}
}
