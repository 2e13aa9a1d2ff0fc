package link

import (
	"math/bits"
	"time"

	"assimilation/wire"
)

// partial is a message of which chunks are missing. It holds what has arrived
// and no more: nothing is allocated by the announced total.
type partial struct {
	total    uint32
	bytes    uint32            // arrived
	chunks   map[uint32][]byte // by index
	have     []uint64          // the same as bits, up to the highest
	through  uint32            // lowest missing index
	sinceAck int
}

func newPartial(total uint32) *partial {
	return &partial{total: total, chunks: map[uint32][]byte{}}
}

func (p *partial) bit(index uint32) bool {
	return int(index/64) < len(p.have) && p.have[index/64]&(1<<(index%64)) != 0
}

func (p *partial) has(offset uint32) bool { return p.bit(offset / wire.ChunkSize) }

func (p *partial) add(offset uint32, payload []byte) {
	index := offset / wire.ChunkSize
	p.chunks[index] = append([]byte(nil), payload...)
	if grow := int(index/64) + 1 - len(p.have); grow > 0 {
		p.have = append(p.have, make([]uint64, grow)...)
	}
	p.have[index/64] |= 1 << (index % 64)
	p.bytes += uint32(len(payload))
	p.sinceAck++
	for p.bit(p.through) {
		p.through++
	}
}

// ackAt says when the sender should hear of the chunk just added: at once
// where it can repair a gap, or often enough to keep it sending.
func (p *partial) ackAt(now time.Time) time.Time {
	gap := p.through*wire.ChunkSize < p.bytes
	if gap || p.sinceAck >= ackEvery {
		return now
	}
	return now.Add(wire.AckDelay)
}

// ranges returns how many bytes have arrived without a gap, and the first
// MaxAckRanges ranges beyond.
func (p *partial) ranges() (through uint32, spans []span) {
	through = p.offset(p.through)
	for index := p.next(p.through, true); int(index) < len(p.have)*64 && len(spans) < wire.MaxAckRanges; {
		end := p.next(index, false)
		spans = append(spans, span{p.offset(index), p.offset(end)})
		index = p.next(end, true)
	}
	return through, spans
}

// next finds the first index from on whose bit is set (or not); at the end,
// the number of bits.
func (p *partial) next(from uint32, set bool) uint32 {
	for word := from / 64; int(word) < len(p.have); word++ {
		w := p.have[word]
		if !set {
			w = ^w
		}
		if word == from/64 {
			w &= ^uint64(0) << (from % 64)
		}
		if w != 0 {
			return word*64 + uint32(bits.TrailingZeros64(w))
		}
	}
	return max(from, uint32(len(p.have))*64)
}

func (p *partial) offset(index uint32) uint32 { return min(index*wire.ChunkSize, p.total) }

func (p *partial) assemble() []byte {
	whole := make([]byte, 0, p.total)
	for index := range uint32(len(p.chunks)) {
		whole = append(whole, p.chunks[index]...)
	}
	return whole
}
