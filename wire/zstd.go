package wire

import (
	"errors"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// The pools keep what is costly to make while it is in use, and give it back
// to the garbage collector at rest: a quiet probe holds no compressor.
var (
	encoders = sync.Pool{New: func() any { return newEncoder() }}
	decoders = sync.Pool{New: func() any { return newDecoder(MaxMessage) }}
	// A decoder's limit is part of it.
	smallDecoders = sync.Pool{New: func() any { return newDecoder(MaxSmall) }}
)

const (
	// zstdWindow is our encoder's: facts repeat themselves within a few
	// kilobytes, and the probe's memory is scarce.
	zstdWindow = 128 << 10
	// maxZstdWindow is what any peer's encoder may use.
	maxZstdWindow = 8 << 20
)

func newEncoder() *zstd.Encoder {
	e, err := zstd.NewWriter(nil,
		zstd.WithEncoderConcurrency(1),
		zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithWindowSize(zstdWindow),
		zstd.WithLowerEncoderMem(true),
		zstd.WithEncoderDictRaw(dictionaryID, dictionary),
		zstd.WithEncoderCRC(false)) // the session authenticates every byte
	if err != nil {
		panic("wire: zstd encoder options: " + err.Error())
	}
	return e
}

func newDecoder(limit uint64) *zstd.Decoder {
	d, err := zstd.NewReader(nil,
		zstd.WithDecoderConcurrency(1),
		zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxZstdWindow),
		zstd.WithDecoderDictRaw(dictionaryID, dictionary),
		zstd.WithDecoderMaxMemory(limit))
	if err != nil {
		panic("wire: zstd decoder options: " + err.Error())
	}
	return d
}

// compress, with the dictionary, appends the compressed body to a copy of prefix.
func compress(prefix, body []byte) []byte {
	e := encoders.Get().(*zstd.Encoder)
	defer encoders.Put(e)
	dst := make([]byte, len(prefix), len(prefix)+len(body)/2)
	copy(dst, prefix)
	return e.EncodeAll(body, dst)
}

// decompress returns at most limit bytes, which is MaxMessage or MaxSmall. The
// frame must name the given dictionary, 0: none.
func decompress(packed []byte, wanted uint32, limit int) ([]byte, error) {
	var header zstd.Header
	if err := header.Decode(packed); err != nil {
		return nil, refuse(Malformed, "compressed message: %v", err)
	}
	if header.DictionaryID != wanted {
		return nil, refuse(Malformed, "message is compressed with dictionary %d, its flags say %d", header.DictionaryID, wanted)
	}
	pool := &decoders
	if limit == MaxSmall {
		pool = &smallDecoders
	}
	d := pool.Get().(*zstd.Decoder)
	defer pool.Put(d)
	body, err := d.DecodeAll(packed, nil)
	switch {
	case errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, zstd.ErrWindowSizeExceeded):
		return nil, refuse(TooLarge, "message expands beyond %d bytes", limit)
	case err != nil:
		return nil, refuse(Malformed, "compressed message: %v", err)
	}
	return body, nil
}
