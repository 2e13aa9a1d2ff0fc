package wire

import "strconv"

// Reason says why something was refused. It travels in acknowledgements, in the
// relay's stream and in answers of the service, so that the probe's log, the
// relay's log and the console name the same cause. Only append.
type Reason uint16

// The reasons.
const (
	Accepted      Reason = 0
	Malformed     Reason = 1  // damaged token, undecodable message, invalid fact
	Expired       Reason = 2  // the token's time is over
	UsedUp        Reason = 3  // the token's uses are spent
	Revoked       Reason = 4  // the token, probe or relay was revoked
	WrongSite     Reason = 5  // the token belongs to another site
	UnknownToken  Reason = 6  // no such token, or the secret does not match
	ClockSkew     Reason = 7  // the clocks differ too much to judge expiry
	TooLarge      Reason = 8  // over the size limit
	NotEnrolled   Reason = 9  // the key is not known: enrol first
	NoAllowance   Reason = 10 // the relay cannot count a use now: retry later
	Busy          Reason = 11 // over a rate or memory limit: retry later
	Unsupported   Reason = 12 // unknown kind of message or schema version
	NotDurable    Reason = 13 // the store refused to write: retry later
	MissingRight  Reason = 14 // a collector lacks a capability (Problem only)
	CollectFailed Reason = 15 // a collector failed (Problem only)
	WrongKind     Reason = 16 // a token of another kind (relay token at a probe)
	Replayed      Reason = 17
	WrongTenant   Reason = 18
	BadSignature  Reason = 19
	Cloned        Reason = 20 // another probe holds the same key, and was there before
	OverQuota     Reason = 21 // more than the tenant may have: retry later
	KeyRetired    Reason = 22 // the site has another key now than the one that the token, or the probe, knows
)

var reasonTexts = map[Reason]string{
	Accepted: "accepted", Malformed: "malformed", Expired: "expired", UsedUp: "used up", Revoked: "revoked",
	WrongSite: "wrong site", UnknownToken: "unknown token", ClockSkew: "clock skew", TooLarge: "too large",
	NotEnrolled: "not enrolled", NoAllowance: "no allowance left at this relay", Busy: "busy",
	Unsupported: "unsupported", NotDurable: "not durable", MissingRight: "missing right", CollectFailed: "collection failed",
	WrongKind: "wrong kind of token", Replayed: "replayed", WrongTenant: "wrong tenant", BadSignature: "bad signature",
	Cloned: "cloned", OverQuota: "over quota", KeyRetired: "site key retired",
}

// String is the text that people see and metrics carry as label.
func (r Reason) String() string {
	if s, ok := reasonTexts[r]; ok {
		return s
	}
	return "reason " + strconv.Itoa(int(r))
}

// Temporary reports whether trying again later, unchanged, may succeed.
func (r Reason) Temporary() bool {
	return r == NoAllowance || r == Busy || r == NotDurable || r == ClockSkew || r == OverQuota
}
