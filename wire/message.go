package wire

// Message is one reliable message inside a session: a pointer to one of the
// structs of this package. The package comment has its encoding.
type Message interface {
	messageType() MessageType
	// check reports the first field that is out of its bounds.
	check() error
}

// MessageType numbers the messages. Only append; never reuse a number.
type MessageType uint8

// The messages: probe to relay below 64, relay to probe from 64.
const (
	TypeEnrol    MessageType = 1
	TypeHello    MessageType = 2
	TypeDigests  MessageType = 3
	TypeFactPut  MessageType = 4
	TypeFactGone MessageType = 5
	TypeProblem  MessageType = 6
	TypeGoodbye  MessageType = 7
	TypeReport   MessageType = 8

	TypeEnrolled  MessageType = 64
	TypeConfigure MessageType = 65
	TypeNeed      MessageType = 66
	TypeRing      MessageType = 67
	TypeRedirect  MessageType = 68
	TypeRevoke    MessageType = 69
	TypeSiteKeys  MessageType = 70
)

// newMessage returns an empty message of the type, nil where there is none.
func newMessage(t MessageType) Message {
	switch t {
	case TypeEnrol:
		return &Enrol{}
	case TypeHello:
		return &Hello{}
	case TypeDigests:
		return &Digests{}
	case TypeFactPut:
		return &FactPut{}
	case TypeFactGone:
		return &FactGone{}
	case TypeProblem:
		return &Problem{}
	case TypeGoodbye:
		return &Goodbye{}
	case TypeReport:
		return &Report{}
	case TypeEnrolled:
		return &Enrolled{}
	case TypeConfigure:
		return &Configure{}
	case TypeNeed:
		return &Need{}
	case TypeRing:
		return &Ring{}
	case TypeRedirect:
		return &Redirect{}
	case TypeRevoke:
		return &Revoke{}
	case TypeSiteKeys:
		return &SiteKeys{}
	}
	return nil
}
