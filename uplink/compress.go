package uplink

import (
	"errors"

	"github.com/klauspost/compress/zstd"

	"assimilation/wire"
)

// The first byte of every plaintext.
const (
	plain      = 0
	compressed = 1
)

// Compression pays from about the size of an acknowledgement on; the window
// covers the like hosts of a batch, and 8 MiB is what every decoder must take
// (RFC 8878, 3.1.1.1.2).
const (
	compressFrom = 256
	maxWindow    = 8 << 20
)

// pack puts the byte of compression before payload, of at most limit bytes.
func pack(payload []byte, limit int) ([]byte, error) {
	if len(payload) > limit {
		return nil, refuse(wire.TooLarge, "payload of %d bytes exceeds %d", len(payload), limit)
	}
	if len(payload) >= compressFrom {
		window := zstd.MinWindowSize
		for window < maxWindow && window < len(payload) {
			window *= 2
		}
		encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(window))
		if err != nil {
			return nil, err
		}
		defer encoder.Close()
		packed := encoder.EncodeAll(payload, []byte{compressed})
		if len(packed) < len(payload) {
			return packed, nil
		}
	}
	return append([]byte{plain}, payload...), nil
}

// unpack undoes pack and never makes more than limit bytes.
func unpack(plaintext []byte, limit int) ([]byte, error) {
	if len(plaintext) == 0 {
		return nil, malformed("empty plaintext")
	}
	method, body := plaintext[0], plaintext[1:]
	switch method {
	case plain:
		if len(body) > limit {
			return nil, refuse(wire.TooLarge, "payload of %d bytes exceeds %d", len(body), limit)
		}
		return body, nil
	case compressed:
		decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxMemory(uint64(limit)), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		defer decoder.Close()
		payload, err := decoder.DecodeAll(body, nil)
		switch {
		case errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, zstd.ErrWindowSizeExceeded):
			return nil, refuse(wire.TooLarge, "payload expands beyond %d bytes", limit)
		case err != nil:
			return nil, malformed("payload does not decompress")
		}
		return payload, nil
	}
	return nil, refuse(wire.Unsupported, "compression %d", method)
}
