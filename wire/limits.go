package wire

import (
	"crypto/ed25519"
	"time"
)

// Sizes of packets, in bytes.
const (
	MaxDatagram     = 1200 // UDP payload; fits IPv6's minimum MTU of 1280 with its headers
	AnnounceSize    = 256
	CertificateSize = 145
	MaxRevocation   = revocationHead + MaxRevoked*IDSize + ed25519.SignatureSize
	MaxKeyStatement = statementAlone + ed25519.SignatureSize
	MACSize         = 16 // each of mac1 and mac2

	// TransportHeaderSize is type, version, receiver index and counter;
	// TagSize the Poly1305 tag at the end.
	TransportHeaderSize = 14
	TagSize             = 16
	// MaxPlaintext is what one transport packet can carry.
	MaxPlaintext = MaxDatagram - TransportHeaderSize - TagSize
)

// Port is the UDP port of relays and probes.
const Port = 1984

// The multicast groups that announces go to; the second is site-local.
const (
	MulticastIPv4 = "224.0.2.5"
	MulticastIPv6 = "ff05::1984"
)

// Sizes of messages and their fields, in bytes unless said otherwise. Those of
// facts are the same as in package discovery, which a test compares.
const (
	MaxBody       = 8 << 20          // canonical JSON of one fact
	MaxMessage    = MaxBody + 64<<10 // one encoded message, compressed or not
	MaxSmall      = 16 << 10         // the same, of a peer that is not trusted with more: an Enrol, any Hello
	MaxKind       = 32               // name of a kind
	MaxKinds      = 256              // kinds in one message
	MaxFacts      = 20_000           // digests in one message
	MaxInstance   = 128
	MaxHostName   = 255
	MaxRevoked    = 64 // relays in one revocation
	MaxLabels     = 32
	MaxLabelKey   = 64
	MaxLabelValue = 256
	MaxVersion    = 64 // program version
	MaxPlatform   = 32 // GOOS, GOARCH
	MaxDetail     = 1024
	MaxCause      = 64
	TokenIDSize   = 12
	SecretSize    = 20
	HashSize      = 32
	IDSize        = 16 // host, relay and site ids

	// MaxTime is the end of the year 9999 in Unix milliseconds: beyond it
	// RFC 3339 has no spelling.
	MaxTime = 253_402_300_799_999
)

// The echo interval that a relay may order.
const (
	MinEchoInterval = 100 * time.Millisecond
	MaxEchoInterval = time.Hour
)

// The life of a session. After either of the first two the link reports
// Expired and its owner makes a new handshake; beyond the last nothing is
// sealed or opened any more.
const (
	RekeyAfterTime      = 2 * time.Hour
	RekeyAfterMessages  = 1 << 60
	RejectAfterMessages = 1 << 61
)

// CookieLife is for how long a receiver under load honours its cookies.
const CookieLife = 2 * time.Minute

// ReplayWindow is how many counters back a late datagram is still accepted.
const ReplayWindow = 2048

// The link: chunks, credit and memory. The peers of a session share these
// numbers, so they change only with the protocol's version.
const (
	// ChunkSize is the payload of every chunk of a message but its last.
	ChunkSize = 1152
	// InitialCredit is what a peer may send before the first CREDIT. It is granted
	// to every session, whoever else waits, so it is little: an Enrol, a Hello and
	// the digests of a small host.
	InitialCredit = 4 * ChunkSize
	// CreditWindow is how far ahead of what has arrived a receiver grants.
	CreditWindow = 1 << 20
	// MaxHeld bounds what a receiver holds for one peer: chunks of incomplete
	// messages and complete messages without the application's verdict.
	MaxHeld = MaxMessage + CreditWindow
	// MaxOpen bounds the same once they are decompressed: further messages are
	// refused as Busy.
	MaxOpen = 4 * MaxMessage
	// MaxIncomplete bounds the messages of more than one chunk that are under
	// way at a time.
	MaxIncomplete = 64
	// IDWindow bounds how far a message id may be ahead of the oldest
	// unfinished one.
	IDWindow = 1024
	// MaxAckRanges bounds the ranges in one ACK.
	MaxAckRanges = 32
)

// Retransmission.
const (
	InitialRTO = 200 * time.Millisecond
	MinRTO     = 50 * time.Millisecond
	MaxRTO     = 10 * time.Second
	// QueryAfter is how long a sender waits for the verdict on a message that
	// has arrived whole, before it asks; then twice as long, up to MaxRTO.
	QueryAfter = 500 * time.Millisecond
	// AckDelay is how long a receiver may wait for the application's verdict
	// before it acknowledges the mere receipt.
	AckDelay = 20 * time.Millisecond
)
