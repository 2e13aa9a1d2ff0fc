package uplink

import (
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"assimilation/tenancy"
	"assimilation/wire"
)

// Check reports why the record is not acceptable: the bounds of every field,
// the fields that its type needs, and the absence of those it does not use.
// Bodies are not looked into: their hash and form are discovery's to judge.
func (c Change) Check() error {
	switch {
	case c.Seq < 1 || c.Seq > maxNumber:
		return malformed("sequence out of range")
	case c.SeenAt <= 0 || c.SeenAt > maxTime || c.ObservedAt < 0 || c.ObservedAt > maxTime:
		return malformed("impossible time")
	case c.Term > maxNumber || c.Version > maxNumber:
		return malformed("term or version out of range")
	case c.Token != "" && !validTokenID(c.Token):
		return malformed("token id is not %d characters of base 62", tenancy.TokenIDLength)
	case c.Hash != nil && len(c.Hash) != HashSize:
		return malformed("content hash is not %d bytes", HashSize)
	case c.Kind != "" && !validKind(c.Kind):
		return malformed("kind name is not [a-z][a-z0-9-]* of at most %d bytes", maxKind)
	case len(c.Instance) > maxInstance || !plainText(c.Instance):
		return malformed("instance is not plain text of at most %d bytes", maxInstance)
	}
	unused := c
	unused.Seq, unused.Type, unused.SeenAt, unused.ObservedAt, unused.Host = 0, 0, 0, 0, tenancy.HostID{}
	var err error
	switch c.Type {
	case FactPut:
		err = c.checkFactPut()
		unused.clearFact()
		unused.Body, unused.Encoding, unused.Base = nil, 0, nil
	case FactGone:
		err = c.checkFact()
		unused.clearFact()
	case FactList:
		err = c.checkFactList()
		unused.clearFact()
		unused.Instances = nil
	case HostState:
		err = c.checkHostState()
		unused.HostState, unused.Token, unused.Term = nil, "", 0
	case Refusal:
		err = c.checkRefusal()
		unused.clearFact()
		unused.Refusal, unused.Token = nil, ""
	case TokenUse:
		if c.Token == "" || c.Host.IsZero() {
			err = malformed("use of a token without its id or its host")
		}
		unused.Token = ""
	case RelayState:
		err = c.checkRelayState()
		unused.Relay = nil
	case Verdict:
		if err = malformed("verdict without a body"); c.Verdict != nil {
			err = c.Verdict.check()
		}
		unused.Verdict = nil
	default:
		return refuse(wire.Unsupported, "record type %d", c.Type)
	}
	if err != nil {
		return err
	}
	if !reflect.ValueOf(unused).IsZero() {
		return malformed("record of type %d holds fields of another type", c.Type)
	}
	return nil
}

func (c *Change) clearFact() {
	c.Kind, c.Instance, c.Schema, c.Hash, c.Term, c.Version = "", "", 0, nil, 0, 0
}

func (c Change) checkFact() error {
	switch {
	case c.Host.IsZero():
		return malformed("fact without a host")
	case c.Kind == "":
		return malformed("fact without a kind")
	case c.Version < 1:
		return malformed("fact without a version")
	}
	return nil
}

func (c Change) checkFactPut() error {
	if err := c.checkFact(); err != nil {
		return err
	}
	switch {
	case c.Schema < 1:
		return malformed("fact without a schema version")
	case c.Hash == nil && c.Encoding == BodyByHash:
		return malformed("fact without a content hash")
	case c.Encoding > BodyByHash:
		return refuse(wire.Unsupported, "body encoding %d", c.Encoding)
	case c.Encoding == BodyByBase && len(c.Base) != HashSize:
		return malformed("hash of a base is not %d bytes", HashSize)
	case c.Encoding != BodyByBase && c.Base != nil:
		return malformed("base without a body against it")
	case c.Encoding == BodyByHash && c.Body != nil:
		return malformed("body beside the reference to it")
	case c.Encoding != BodyByHash && len(c.Body) == 0:
		return malformed("fact without a body")
	case len(c.Body) > MaxBody:
		return refuse(wire.TooLarge, "body of %d bytes exceeds %d", len(c.Body), MaxBody)
	}
	return nil
}

func (c Change) checkFactList() error {
	if c.Instance != "" || c.Schema != 0 || c.Hash != nil {
		return malformed("list of facts with the fields of one fact")
	}
	if len(c.Instances) > maxInstances {
		return refuse(wire.TooLarge, "list of more than %d facts", maxInstances)
	}
	for _, instance := range c.Instances {
		if !shortText(instance, maxInstance) {
			return malformed("instance is not plain text of at most %d bytes", maxInstance)
		}
	}
	return c.checkFact()
}

var states = []State{Up, Silent, ShutDown, Down, AgentDown, Unresponsive, Unreachable}

func (c Change) checkHostState() error {
	s := c.HostState
	switch {
	case c.Host.IsZero() || s == nil:
		return malformed("host state without host or state")
	case !slices.Contains(states, s.State):
		return refuse(wire.Unsupported, "unknown host state")
	case !shortText(s.Name, MaxName), !shortText(s.AgentVersion, MaxVersion), !shortText(s.OS, MaxWord),
		!shortText(s.Arch, MaxWord), !shortText(s.Cause, MaxDetail):
		return malformed("host state with text that is too long or not plain")
	case s.SiteKeys > maxNumber:
		return malformed("sequence of site keys out of range")
	case s.ProbeKey != nil && len(s.ProbeKey) != HashSize, s.MachineID != nil && len(s.MachineID) != HashSize:
		return malformed("probe key or machine id is not %d bytes", HashSize)
	case s.Enrolled && (s.ProbeKey == nil || s.Name == ""):
		return malformed("new host without key or name")
	}
	return CheckLabels(s.Labels)
}

func (c Change) checkRefusal() error {
	r := c.Refusal
	switch {
	case r == nil || r.Subject == "" || !shortText(r.Subject, MaxWord):
		return malformed("refusal without a subject")
	case r.Reason == wire.Accepted:
		return malformed("refusal without a reason")
	case !shortText(r.Detail, MaxDetail) || !shortText(r.From, MaxName):
		return malformed("refusal with text that is too long or not plain")
	}
	return nil
}

func (c Change) checkRelayState() error {
	r := c.Relay
	if r == nil || r.Event == "" || !shortText(r.Event, MaxWord) || !shortText(r.Version, MaxVersion) || !shortText(r.Detail, MaxDetail) {
		return malformed("relay state without an event, or with text that is too long or not plain")
	}
	if r.Gap == nil {
		return nil
	}
	return r.Gap.check()
}

func (g Gap) check() error {
	switch {
	case g.Cause == "" || !shortText(string(g.Cause), MaxWord):
		return malformed("gap without a cause")
	case g.Epoch > maxNumber || g.From > maxNumber || g.To > maxNumber || g.Records > maxNumber:
		return malformed("gap out of range")
	case g.Since < 0 || g.Since > maxTime || g.Until < 0 || g.Until > maxTime:
		return malformed("gap at an impossible time")
	}
	return nil
}

// CheckLabels reports why labels would not be acceptable in a record or an order.
func CheckLabels(labels map[string]string) error {
	if len(labels) > maxLabels {
		return refuse(wire.TooLarge, "more than %d labels", maxLabels)
	}
	for key, value := range labels {
		if key == "" || !shortText(key, maxLabelKey) || !shortText(value, maxLabel) {
			return malformed("a label's name exceeds %d bytes, its value %d, or they are not plain text", maxLabelKey, maxLabel)
		}
	}
	return nil
}

func validTokenID(id string) bool {
	if len(id) != tenancy.TokenIDLength {
		return false
	}
	return !strings.ContainsFunc(id, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
}

func validKind(kind string) bool {
	if len(kind) > maxKind || kind[0] < 'a' || kind[0] > 'z' {
		return false
	}
	return !strings.ContainsFunc(kind, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' })
}

func shortText(s string, limit int) bool { return len(s) <= limit && plainText(s) }

// plainText keeps out what a log, a terminal or a Postgres text column would
// choke on.
func plainText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f })
}

// Plain makes text that came from outside fit for a record: at most limit bytes
// of valid UTF-8, control characters replaced by spaces.
func Plain(s string, limit int) string {
	if len(s) > limit {
		s = s[:limit]
	}
	s = strings.ToValidUTF8(s, "") // after the cut, which may have split a character
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
