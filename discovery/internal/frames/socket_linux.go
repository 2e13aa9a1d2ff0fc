package frames

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
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
//
// Go's runtime would be woken by every frame of a socket that it knows of, wanted
// or not. So it knows an epoll(7) of our own instead, which holds the socket and
// fires once until it is armed again.
type Socket struct {
	fd     int
	bell   *os.File // the epoll
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
	var bell *os.File
	if err == nil {
		bell, err = newBell(fd)
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return &Socket{fd, bell, f}, nil
}

func networkOrder(n uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, n))
}

// once asks for one event and no more until the socket is armed again.
func once(fd int) *unix.EpollEvent {
	return &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLONESHOT, Fd: int32(fd)}
}

func newBell(fd int) (*os.File, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	err = errors.Join(unix.SetNonblock(epoll, true), unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, once(fd)))
	if err != nil {
		unix.Close(epoll)
		return nil, err
	}
	return os.NewFile(uintptr(epoll), "packet socket"), nil
}

// Join asks the interface for the frames to a group address.
func (s *Socket) Join(link int, group [6]byte) error {
	request := unix.PacketMreq{Ifindex: int32(link), Type: unix.PACKET_MR_MULTICAST, Alen: uint16(len(group))}
	copy(request.Address[:], group[:])
	if err := unix.SetsockoptPacketMreq(s.fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &request); err != nil {
		return fmt.Errorf("joining a link layer group: %w", err)
	}
	return nil
}

// Close closes the socket, once and after Listen.
func (s *Socket) Close() error { return errors.Join(ignoreClosed(s.bell.Close()), unix.Close(s.fd)) }

// ignoreClosed: Listen may have closed it.
func ignoreClosed(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// Listen hands every frame to each until ctx ends; then it returns nil. It sleeps
// in the kernel as long as no frame comes.
func (s *Socket) Listen(ctx context.Context, each func(Frame)) error {
	stop := context.AfterFunc(ctx, func() { s.bell.Close() })
	defer stop()
	err := s.listen(ctx, each)
	if err == nil || ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("listening to frames of type %#04x: %w", s.filter.EtherType, err)
}

func (s *Socket) listen(ctx context.Context, each func(Frame)) error {
	raw, err := s.bell.SyscallConn()
	if err != nil {
		return err
	}
	received := newBatch(s.filter.most)
	for {
		var failed error
		err := raw.Read(func(epoll uintptr) bool {
			var event [1]unix.EpollEvent
			n, err := unix.EpollWait(int(epoll), event[:], 0)
			if errors.Is(err, unix.EINTR) {
				return true
			}
			failed = err
			return n > 0 || err != nil
		})
		if err = errors.Join(err, failed); err != nil {
			return err
		}
		if err := received.drain(s.fd, each); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		err = raw.Control(func(epoll uintptr) {
			failed = unix.EpollCtl(int(epoll), unix.EPOLL_CTL_MOD, s.fd, once(s.fd))
		})
		if err = errors.Join(err, failed); err != nil {
			return err
		}
	}
}
