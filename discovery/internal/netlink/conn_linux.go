package netlink

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Conn is a netlink socket. One goroutine uses it at a time; any may close it.
type Conn struct {
	file     *os.File
	raw      syscall.RawConn
	sequence uint32
}

// Dial opens a socket of a netlink protocol (unix.NETLINK_ROUTE) in the caller's
// network namespace.
func Dial(protocol int) (*Conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return nil, fmt.Errorf("opening a netlink socket: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("binding a netlink socket: %w", err)
	}
	file := os.NewFile(uintptr(fd), "netlink socket")
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, err
	}
	return &Conn{file: file, raw: raw}, nil
}

// Close ends a Receive that waits.
func (c *Conn) Close() error { return c.file.Close() }

// SetReadBuffer sets how many bytes of events may wait, beyond the system's limit
// where the caller may do that.
func (c *Conn) SetReadBuffer(bytes int) error {
	return c.option(unix.SOL_SOCKET, unix.SO_RCVBUF, bytes, unix.SO_RCVBUFFORCE)
}

// JoinGroup subscribes to events (unix.RTNLGRP_*).
func (c *Conn) JoinGroup(group uint32) error {
	return c.option(unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, int(group))
}

// option sets the first of the options that may be set, the last one first.
func (c *Conn) option(level, name, value int, better ...int) error {
	var failed error
	err := c.raw.Control(func(fd uintptr) {
		for _, b := range better {
			if unix.SetsockoptInt(int(fd), level, b, value) == nil {
				return
			}
		}
		failed = unix.SetsockoptInt(int(fd), level, name, value)
	})
	return errors.Join(err, failed)
}

// Execute sends a request and returns its answer, of a dump with the message
// that ends it, which may say that the dump was interrupted.
func (c *Conn) Execute(m Message) ([]Message, error) {
	c.sequence++
	request := appendMessage(nil, m, c.sequence)
	var failed error
	err := c.raw.Write(func(fd uintptr) bool {
		failed = unix.Sendto(int(fd), request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
		return !errors.Is(failed, unix.EAGAIN)
	})
	if err = errors.Join(err, failed); err != nil {
		return nil, fmt.Errorf("sending a netlink request: %w", err)
	}
	var answer []Message
	for {
		messages, sequences, err := c.receive()
		if err != nil {
			return nil, err
		}
		for i, reply := range messages {
			if sequences[i] != c.sequence {
				continue // the rest of an answer that was given up
			}
			if err := reply.failure(); err != nil {
				return nil, err
			}
			answer = append(answer, reply)
			if reply.Header.Type == typeDone || reply.Header.Flags&Multi == 0 {
				return answer, nil
			}
		}
	}
}

// failure is the error in a message that reports one: a negative errno, of which
// zero is none.
func (m Message) failure() error {
	if m.Header.Type != typeError && m.Header.Type != typeDone || len(m.Data) < 4 {
		return nil
	}
	if number := int32(binary.NativeEndian.Uint32(m.Data)); number < 0 {
		return fmt.Errorf("netlink request: %w", unix.Errno(-number))
	}
	return nil
}

// Receive waits for events. It reports unix.ENOBUFS once after the kernel dropped
// some, for they were not read in time.
func (c *Conn) Receive() ([]Message, error) {
	messages, _, err := c.receive()
	return messages, err
}

func (c *Conn) receive() (messages []Message, sequences []uint32, err error) {
	var datagram []byte
	var from unix.Sockaddr
	var failed error
	err = c.raw.Read(func(fd uintptr) bool {
		datagram, from, failed = read(int(fd))
		return !errors.Is(failed, unix.EAGAIN)
	})
	if err = errors.Join(err, failed); err != nil {
		return nil, nil, fmt.Errorf("reading netlink: %w", err)
	}
	if sender, ok := from.(*unix.SockaddrNetlink); !ok || sender.Pid != 0 {
		return nil, nil, nil // another process may send to us; the kernel's port is 0
	}
	return parse(datagram)
}

// read asks for the length of the next datagram first: there is no bound on it.
func read(fd int) ([]byte, unix.Sockaddr, error) {
	for {
		size, _, err := unix.Recvfrom(fd, nil, unix.MSG_PEEK|unix.MSG_TRUNC)
		if err == nil {
			datagram := make([]byte, size)
			var from unix.Sockaddr
			if size, from, err = unix.Recvfrom(fd, datagram, 0); err == nil {
				return datagram[:size], from, nil
			}
		}
		if !errors.Is(err, unix.EINTR) {
			return nil, nil, err
		}
	}
}
