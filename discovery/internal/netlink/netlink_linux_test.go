package netlink

import (
	"bytes"
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

func TestExecute(t *testing.T) {
	conn, err := Dial(unix.NETLINK_ROUTE)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	dump := Message{Header: Header{Type: unix.RTM_GETLINK, Flags: Request | Dump}, Data: make([]byte, unix.SizeofIfInfomsg)}
	for range 2 {
		answer, err := conn.Execute(dump)
		if err != nil || len(answer) < 2 || answer[0].Header.Type != unix.RTM_NEWLINK || answer[len(answer)-1].Header.Type != typeDone {
			t.Errorf("dump: %d messages, %v", len(answer), err)
		}
	}
	// One link by its index; then one that is not there.
	dump.Header.Flags = Request
	dump.Data[4] = 1
	if answer, err := conn.Execute(dump); err != nil || len(answer) != 1 || answer[0].Header.Type != unix.RTM_NEWLINK {
		t.Errorf("one link: %v, %v", answer, err)
	}
	copy(dump.Data[4:], []byte{0xff, 0xff, 0xff, 0x7f})
	if _, err := conn.Execute(dump); !errors.Is(err, unix.ENODEV) {
		t.Errorf("a link that is not there: %v, want ENODEV", err)
	}
}

func TestOthersAreNotHeard(t *testing.T) {
	conn, err := Dial(unix.NETLINK_USERSOCK)
	if err != nil {
		t.Skipf("no NETLINK_USERSOCK: %v", err)
	}
	defer conn.Close()
	var port uint32
	err = conn.raw.Control(func(fd uintptr) {
		name, _ := unix.Getsockname(int(fd))
		port = name.(*unix.SockaddrNetlink).Pid
	})
	if err != nil {
		t.Fatal(err)
	}
	other, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_USERSOCK)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(other)
	forged := appendMessage(nil, Message{Header: Header{Type: unix.RTM_NEWLINK}, Data: make([]byte, 16)}, 1)
	if err := unix.Sendto(other, forged, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Pid: port}); err != nil {
		t.Fatal(err)
	}
	if messages, err := conn.Receive(); err != nil || len(messages) != 0 {
		t.Errorf("of another process: %v, %v", messages, err)
	}
}

func TestCloseEndsReceive(t *testing.T) {
	conn, err := Dial(unix.NETLINK_ROUTE)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() {
		_, err := conn.Receive()
		ended <- err
	}()
	conn.Close()
	if err := <-ended; err == nil {
		t.Error("a closed socket received something")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(appendMessage(nil, Message{Header: Header{Type: 16, Flags: Multi}, Data: []byte{1, 2, 3}}, 7))
	f.Add(append(appendMessage(nil, Message{Header: Header{Type: 16}, Data: []byte{1, 2, 3, 4}}, 7), 0xff, 0, 0, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		messages, sequences, err := parse(b)
		if err != nil {
			return
		}
		var again []byte
		for i, m := range messages {
			_ = m.failure()
			for len(again)%alignment != 0 {
				again = append(again, 0)
			}
			again = appendMessage(again, m, sequences[i])
		}
		if len(messages) > 0 && !bytes.HasPrefix(b, again[:8]) {
			t.Errorf("%x parsed and written again is %x", b, again)
		}
	})
}
