package uplink

// Limits of the link. Both ends hold them: a sender refuses to make what the
// receiver would refuse to take.
const (
	MaxEnvelope = 16 << 20 // bytes of a whole envelope
	MaxHeader   = 1 << 10  // bytes of an encoded header
	MaxPayload  = 32 << 20 // bytes of a payload before compression
	MaxRecords  = 16384    // records of a batch
	MaxBody     = 8 << 20  // bytes of a fact's body
	// MaxRecord leaves room for a record's other fields beside the largest body.
	MaxRecord = MaxBody + 64<<10

	NonceSize = 16
	HashSize  = 32
	KeyIDSize = 8

	MaxName    = 255  // bytes of a host's, relay's or site's name
	MaxVersion = 64   // bytes of a program's version
	MaxWord    = 32   // bytes of an operating system, an architecture, a subject
	MaxDetail  = 1024 // bytes of text for people
	MaxTokens  = 65536
	MaxRetired = 65536
	MaxWait    = 60_000 // milliseconds of a long poll

	MaxRelays    = 64 // of a site
	MaxQuestions = 16
	MaxPlaces    = 4096
	MaxAnswer    = 24 << 20 // bytes of an answer's body

	MaxPending  = 100      // probes that are not enrolled, in a request for orders
	MaxPrograms = 32       // that a relay may hand out
	MaxProgram  = 64 << 20 // bytes of one

	maxKind     = 32
	maxInstance = 128
	// maxInstances is discovery.MaxInstances, which this package may not see.
	maxInstances = 1024
	maxLabels    = 64
	maxLabelKey  = 64
	maxLabel     = 256
	maxTime      = 253402300799999 // Unix ms, the end of the year 9999
	// maxNumber bounds sequences, epochs, terms and versions: they are stored as
	// signed 64-bit numbers.
	maxNumber = 1<<63 - 1
)
