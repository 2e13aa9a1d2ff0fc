package uplink

import (
	"crypto/sha256"
	"encoding/binary"

	"assimilation/tenancy"
)

// Chain is the running hash of a stream up to some record.
type Chain [HashSize]byte

// ChainStart is chain(0) of a relay's epoch.
func ChainStart(relay tenancy.RelayID, epoch uint64) Chain {
	b := append([]byte("assimilation stream\x00"), relay.UUID[:]...)
	return sha256.Sum256(binary.BigEndian.AppendUint64(b, epoch))
}

// ChainNext is chain(n) from chain(n-1) and the encoding of record n.
func ChainNext(prev Chain, record []byte) Chain {
	h := sha256.New()
	h.Write(prev[:])
	h.Write(record)
	return Chain(h.Sum(nil))
}

// ChainOver runs the chain over consecutive records.
func ChainOver(prev Chain, records [][]byte) Chain {
	for _, record := range records {
		prev = ChainNext(prev, record)
	}
	return prev
}
