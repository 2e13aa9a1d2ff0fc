package uplink

import "fmt"

var evidenceNames = map[EvidenceKind]string{
	MissedBeats: "missed beats", PortRefused: "port refused", StillHears: "still hears", NoEcho: "no echo", EchoAnswered: "echo answered",
	NoConnect: "no connect", ConnectTaken: "connect taken", ConnectRefused: "connect refused", OrderUnheard: "order unheard", SaidGoodbye: "said goodbye",
	WitnessLate: "witness late", HeardAgain: "heard again", NoCarrier: "no carrier", RelayDeaf: "relay deaf", KeyElsewhere: "key elsewhere",
	ClockJumped: "clock jumped", WitnessGone: "witness gone",
}

// String names the kind in a word or two, for people and for programs: names
// stay.
func (k EvidenceKind) String() string {
	if name, ok := evidenceNames[k]; ok {
		return name
	}
	return fmt.Sprintf("evidence %d", uint8(k))
}
