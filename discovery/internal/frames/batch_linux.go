package frames

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// batchBytes bounds a socket's buffer.
const batchBytes = 4 << 10

// batch receives several frames by one system call, recvmmsg(2), which is most of
// what a frame costs.
type batch struct {
	most     int
	messages []message
	vectors  []unix.Iovec
	senders  []unix.RawSockaddrLinklayer
	data     []byte
}

// message is struct mmsghdr of recvmmsg(2).
type message struct {
	header unix.Msghdr
	size   uint32
}

// newBatch makes room for frames of at most so many bytes.
func newBatch(most int) *batch {
	n := batchBytes / most
	b := &batch{most, make([]message, n), make([]unix.Iovec, n), make([]unix.RawSockaddrLinklayer, n), make([]byte, n*most)}
	for i := range b.messages {
		b.vectors[i].Base = &b.data[i*most]
		b.vectors[i].SetLen(most)
		h := &b.messages[i].header
		h.Iov = &b.vectors[i]
		h.SetIovlen(1)
		h.Name = (*byte)(unsafe.Pointer(&b.senders[i]))
	}
	return b
}

// drain hands over frames until none waits.
func (b *batch) drain(fd int, each func(Frame)) error {
	for {
		for i := range b.messages {
			b.messages[i].header.Namelen = unix.SizeofSockaddrLinklayer
		}
		n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.messages[0])), uintptr(len(b.messages)), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			return nil
		default:
			return errno
		}
		for i := range int(n) {
			size := min(int(b.messages[i].size), b.most)
			each(Frame{int(b.senders[i].Ifindex), b.data[i*b.most : i*b.most+size]})
		}
		if int(n) < len(b.messages) {
			return nil
		}
	}
}
