package frames

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// pause is how long a socket rests after it was read to its end. A segment
// where many speak then wakes the probe once a second, not for each frame, and
// what no longer fits the socket's buffer meanwhile is lost: who was heard will
// be heard again.
const pause = time.Second

// Frame is one frame.
type Frame struct {
	Link int    // index of the interface
	Data []byte // from the destination address on; the next frame overwrites it
}

// Socket receives the frames of one filter.
type Socket struct {
	file   *os.File
	raw    syscall.RawConn
	filter Filter
}

// Open opens a socket in the caller's network namespace, on all links. It needs
// CAP_NET_RAW.
func Open(f Filter) (*Socket, error) {
	s, err := open(f)
	if err != nil {
		return nil, fmt.Errorf("listening to frames of type %#04x: %w", f.EtherType, err)
	}
	return s, nil
}

func open(f Filter) (*Socket, error) {
	// Protocol 0 receives nothing: the filter stands before the first frame.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	program := unix.SockFprog{Len: uint16(len(f.program)), Filter: &f.program[0]}
	err = unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program)
	if err == nil && f.AtPort {
		err = unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_ORIGDEV, 1)
	}
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: networkOrder(f.EtherType)})
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "packet socket")
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, err
	}
	return &Socket{file, raw, f}, nil
}

func networkOrder(n uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, n))
}

// Join asks the interface for the frames to a group address.
func (s *Socket) Join(link int, group [6]byte) error {
	request := unix.PacketMreq{Ifindex: int32(link), Type: unix.PACKET_MR_MULTICAST, Alen: uint16(len(group))}
	copy(request.Address[:], group[:])
	var failed error
	err := s.raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptPacketMreq(int(fd), unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &request)
	})
	if err = errors.Join(err, failed); err != nil {
		return fmt.Errorf("joining a link layer group: %w", err)
	}
	return nil
}

// Close ends Listen.
func (s *Socket) Close() error { return s.file.Close() }

// Listen hands every frame to each until ctx ends or the socket is closed; then
// it returns nil. It sleeps in the kernel as long as no frame comes.
func (s *Socket) Listen(ctx context.Context, each func(Frame)) error {
	stop := context.AfterFunc(ctx, func() { s.file.Close() })
	defer stop()
	received := newBatch(s.filter.most)
	rest := time.NewTimer(0)
	defer rest.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-rest.C:
		}
		var failed error
		err := s.raw.Read(func(fd uintptr) bool {
			var some bool
			some, failed = received.drain(int(fd), each)
			return some || failed != nil
		})
		switch {
		case ctx.Err() != nil, errors.Is(err, os.ErrClosed):
			return nil
		case err != nil:
			return fmt.Errorf("waiting for frames of type %#04x: %w", s.filter.EtherType, err)
		case failed != nil:
			return fmt.Errorf("reading frames of type %#04x: %w", s.filter.EtherType, failed)
		}
		rest.Reset(pause)
	}
}
