// Package wire is the protocol between probes and relays. This comment is its
// specification; the packages below implement it without sockets, clock or
// goroutines: handshake makes sessions, session seals packets, replay knows
// which came before, link carries messages.
//
// # Datagrams
//
// Everything travels in UDP datagrams of at most 1200 bytes, to and from port
// 1984 of the relay. Integers are big-endian; numbers on the left are byte
// offsets. Byte 0 is the packet type, byte 1 the protocol version, 1. A
// datagram of an unknown type or version, of a wrong length, or over 1200
// bytes is dropped and counted; so is everything else below that is called
// refused and has no ACK to carry the reason.
//
//	type               sent by               answered by
//	1 Announce         probe                 AnnounceReply, or silence
//	2 AnnounceReply    relay
//	3 Handshake1       either                Handshake2, CookieReply, or silence
//	4 Handshake2       receiver of a Handshake1
//	5 CookieReply      receiver of a Handshake1, under load
//	6 Transport        both
//	7 Heartbeat        ends of a ring's edge   the other end's own
//
// Announce, to a relay's address, or to the multicast groups 224.0.2.5 and
// ff05::1984. A relay answers whatever the hint, for its certificate is how a
// probe learns that it asked the wrong site; it limits the rate of answers.
//
//	 0  type 1
//	 1  version
//	 2  reason (2)        why the probe is stuck, see Reason; 0: it is not
//	 4  fingerprint (32)  SHA-256 of the probe's X25519 public key
//	36  site hint (8)     start of SHA-256 of the site's key; zero: none known
//	44  nonce (8)         random, new in every announce
//	52  padding           zero, not looked at, to 256 bytes
//
// AnnounceReply, 157 bytes: shorter than the question, so that a forged sender
// address gains nothing. The probe takes it if the nonce is one of its own and
// the certificate verifies.
//
//	 0  type 2
//	 1  version
//	 2  flags (2)         bit 0: the hint is at a key that the site has retired;
//	                      the others zero, not looked at
//	 4  nonce (8)         of the announce
//	12  certificate (145)
//
// Certificate: a site's word about a relay's key, valid from and to the given
// seconds, both included.
//
//	 0  version 1
//	 1  relay id (16)
//	17  site id (16)
//	33  X25519 key (32)
//	65  not before (8)    Unix seconds
//	73  not after (8)
//	81  Ed25519 signature (64) by the site's key over
//	    "assimilation relay certificate" 0x00 and bytes 0 to 80
//
// While a site's key replaces another, a relay has a certificate of each, and
// answers an announce by that of the key at which it hints, else by that of the
// former. Which keys are the site's, a statement says (SiteKeys), with a signature
// of each over "assimilation site keys" 0x00 and bytes 0 to 73:
//
//	 0  version 1
//	 1  sequence (8)      from 1; a probe goes back to no smaller one
//	 9  alone (1)         0: both keys; 1: the newest, and the former is no more
//	10  newest key (32)
//	42  former key (32)
//	74  signature (64) by the newest key
//	138 signature (64) by the former key; absent if the newest stands alone
//
// A probe hears only the newest key that it trusts, about itself or about the one
// that follows it, and never comes to trust an older key than it does.
//
// Handshake1. The Noise message is message 1 of
// Noise_IK_25519_ChaChaPoly_BLAKE2s with the prologue "assimilation/1"; its
// payload is empty from a probe, a relay's certificate from a relay that has
// lost its session with a probe that it knows, or that takes the probe over from
// another relay; the probe answers if its own site has signed the certificate for
// the key that the handshake proves. sender index is chosen by the sender and
// unique among its sessions.
//
//	 0  type 3
//	 1  version
//	 2  sender index (4)
//	 6  Noise message 1 (96 + payload)
//	-32 mac1 (16)
//	-16 mac2 (16)
//
// Handshake2.
//
//	 0  type 4
//	 1  version
//	 2  sender index (4)
//	 6  receiver index (4)  sender index of the Handshake1
//	10  Noise message 2 (48 + payload)
//	-32 mac1 (16)
//	-16 mac2 (16)
//
// mac1 is BLAKE2s-128 keyed with BLAKE2s-256("mac1----", receiver's static
// public key) over all bytes before it; it is checked before any other
// cryptography. mac2 is the same keyed with a cookie over all bytes before
// it, zero where the receiver asked for none; a receiver that is not under load
// does not look at it.
//
// CookieReply, 62 bytes: shorter than the question. A receiver of handshakes
// that is under load answers so, and does no more, where mac2 is not good. The
// cookie is BLAKE2s-128 of the sender's address (16 bytes, IPv4 mapped into
// IPv6) and port (2), keyed with a random secret that its owner replaces every 2
// minutes; so it keeps nothing per sender. It is sealed with XChaCha20-Poly1305
// under BLAKE2s-256("cookie--", static public key of its sender), with the mac1
// that it answers as associated data: only who saw the Handshake1 can answer. The
// initiator sends the same Handshake1 again with mac2, at once and only once,
// and keeps the cookie for the next ones.
//
//	 0  type 5
//	 1  version
//	 2  receiver index (4)
//	 6  nonce (24)
//	30  sealed cookie (16 + 16)
//
// Transport. counter starts at 0 and rises by 1 with every packet of one
// direction; the ChaCha20-Poly1305 nonce is 4 zero bytes and the counter,
// little-endian (as Noise), bytes 0 to 13 are the associated data.
//
//	 0  type 6
//	 1  version
//	 2  receiver index (4)
//	 6  counter (8)
//	14  ciphertext and tag (frames + 16)
//
// Heartbeat, 32 bytes, once per beat and direction of an edge. The relay gives
// both ends the edge's id, the other's address and a key for each direction
// (Ring), so there is no handshake, and a reflected one does not verify.
//
//	 0  type 7
//	 1  version
//	 2  edge (4)
//	 6  counter (8)       from 1, rises with every beat of one direction
//	14  health (1)        how many of the sender's last 16 beats were late
//	15  flags (1)         bit 0: hears the receiver; bit 1: leaves in good order
//	16  MAC (16)          BLAKE2s-128 keyed with the direction's key, over bytes 0 to 15
//
// One of an unknown edge, with a wrong MAC, or whose counter is not higher than
// all before changes nothing but a counter.
//
// # Sessions
//
//	initiator                                        responder
//	---------                                        ---------
//	idle
//	  | send Handshake1
//	  v
//	awaiting -- no answer: again, with backoff       | Handshake1, mac1 good,
//	  |         and a new ephemeral key              | key welcome: send Handshake2
//	  | Handshake2 good                              v
//	  v                                              pending -- 10 s: forgotten
//	live  -- first Transport ------------------->      | Transport opens
//	  |                                                v
//	  |                                              live, replaces the peer's
//	  |                                                |  older session
//	  | 2 h or 2^60 packets: expired, new handshake    |
//	  | no answer to echoes: silent, new handshake     |
//	  v                                                v
//	closed                                           closed
//
// Message 1 may be a replay, so nothing in it is acted on but answering. Only
// a Transport packet that opens proves that the peer lives: then the new
// session replaces an older one of the same key, and the responder may send. The
// peer's source address is believed (roaming) when the packet's counter is the
// highest yet: an older packet may have been kept back by somebody else. The replaced session may
// still be read for a few seconds. Messages without a verdict die with their
// session; what they carried is sent anew by whoever still has it.
//
// A Transport packet is refused if its counter was seen before or is more than
// 2047 behind the highest seen. Such a packet, or one that does not
// authenticate, changes nothing but a counter.
//
// # Frames
//
// The plaintext of a Transport packet is frames back to back. A frame that is
// cut or contradicts itself makes the whole datagram refused; an unknown type
// makes the rest of it ignored.
//
//	0 padding      type. The rest of the plaintext is ignored.
//	1 DATA         type, message id (4), total (4), offset (4), length (2), bytes
//	2 ACK          type, message id (4), status (1), reason (2), through (4),
//	               n (1), n ranges of start (4) and end (4)
//	3 CREDIT       type, limit (8)
//	4 ECHO         type, nonce (8)
//	5 ECHO REPLY   type, nonce (8) of the echo; sent at once by the peer's program
//
// DATA carries a chunk of a message: 1152 bytes at a multiple of 1152, the last
// one what remains. Ids count 1, 2, 3... per sender and session. total is the
// length of the encoded message in every chunk, 1 to MaxMessage. A DATA of
// length 0 is a query: it carries nothing, changes nothing and is answered by
// an ACK and a CREDIT.
//
// ACK status: 0 receiving; 1 done, the receiver has made the message durable
// or has carried it out; 2 refused with a reason. For status 0, through is the
// number of bytes that arrived without a gap, and the ranges, ascending and
// apart, are what arrived beyond (at most 32 are told). For status 1 through
// and the ranges mean nothing. For status 2, through is the number of payload
// bytes that the receiver counted against the credit: the sender takes the
// others back.
//
// Done and refused are final. An ACK that says so is sent once, and again
// whenever a chunk or a query for that message comes; the receiver remembers
// the verdicts of the last 1024 ids. A sender whose message has arrived whole
// asks for the verdict after 500 ms, then twice as long each time up to 10 s.
// A receiver acknowledges an arrival at the latest after 20 ms.
//
// CREDIT tells the total of distinct DATA payload bytes that the peer may send
// in this session, over all messages: a byte counts when it is sent the first
// time, never again. It starts at 4608 bytes and never falls. A receiver of few
// peers grants up to 1 MiB beyond what has arrived; one of many shares a budget
// among them, and grants each in its turn what it has asked for; none grants what
// would make it hold more than MaxHeld for one peer. A sender that lacks credit
// queries, as above, for every message that it has not begun, at most 64: so the
// receiver knows the totals of all that waits. It asks at once, and again with
// backoff while nothing is unacknowledged, so that a lost CREDIT does not stop
// it.
//
// A sender keeps these rules, and a receiver refuses (Busy) or drops what
// breaks them:
//   - no id is 1024 or more ahead of the lowest that has no verdict;
//   - at most 64 messages of more than one chunk are begun and not wholly
//     acknowledged;
//   - a message of more than 18,432 bytes (16 chunks) is begun only when every
//     byte of the larger ones before it has been sent once.
//
// So a receiver never holds more than MaxHeld bytes of chunks for one peer,
// and there is always room for the rest of what has begun. It also refuses,
// with Busy, messages beyond MaxOpen bytes of decompressed messages without a
// verdict. A relay refuses messages of more than MaxSmall bytes, before it
// expands them, from a key that is not enrolled (NotEnrolled) and from a host
// that says too much (Busy): a few hundred bytes can expand to MaxMessage.
//
// Retransmission: a chunk is sent again when the acknowledged datagrams are 3
// ahead of it, or after the retransmission time-out: RFC 6298 over the samples
// plus 20 ms, 200 ms before the first, at least 50 ms, doubled with each silence
// up to 10 s, less up to a quarter of jitter. Only missing chunks are sent.
//
// # Messages
//
// An encoded message is its type (1), flags (1) and one CBOR map (RFC 8949, core
// deterministic encoding) with integer keys. Flag bit 0: the map is compressed
// by zstd, RFC 8878, with a window of at most 8 MiB. Bit 1, only beside bit 0:
// the frame names dictionary 1, which is raw content, the file dictionary1.txt
// (SHA-256 f4deffdf68c4cf57e5e962e38cbaab8ac8ed0afc95ed2992bdedf2dd8b1e66f2);
// without bit 1 it names none. The other bits must be 0. A message is at most
// MaxMessage bytes, and so is what it decompresses to. A receiver ignores
// unknown keys; it refuses duplicate keys, indefinite lengths, tags, text that
// is not UTF-8, nesting beyond 8, arrays beyond 20,000 and maps beyond 64, and
// every field beyond its bounds (limits.go). An unknown type or flag is
// refused as Unsupported.
//
//	probe to relay                     answer beside the ACK
//	1 Enrol       unknown key, once    Enrolled; refused: see Reason
//	2 Hello       first of a session   Configure; refused as NotEnrolled
//	3 Digests     after Configure      Need
//	4 FactPut                          done: durable at the relay
//	5 FactGone                         done: durable at the relay
//	6 Problem                          done: durable at the relay
//	7 Goodbye     last of a probe      done: durable at the relay
//	8 Report      when a neighbour     done: the relay has taken it in
//	              changes its state
//
//	relay to probe
//	64 Enrolled
//	65 Configure
//	66 Need
//	67 Ring       whenever a probe's neighbours change; done: adopted
//	68 Redirect   to another relay of the site; done: the probe will try
//	69 Revoke     after Configure and whenever it changes, whom the site has
//	              revoked; done: the probe has it, or a newer one, on disk
//	70 SiteKeys   after Configure and whenever they change, which keys are the
//	              site's; done: the probe has that, or newer ones, on disk
//
// A message in the wrong direction, or before its turn, is refused as
// Malformed or NotEnrolled by who receives it; the link does not know roles. A Ring
// may overtake its session's Configure. A probe that beats since an earlier session
// begins the next with a Report, before any Ring; only one Report is under way at a
// time, so that the last is the newest.
//
// # Versions
//
// A new optional field is a new CBOR key; a new message, frame or packet is a
// new number, refused as Unsupported, ignored or dropped by older peers. What
// an older peer would misunderstand is a new protocol version.
package wire
