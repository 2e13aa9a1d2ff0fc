package wire

// Hello is the first message of every session of an enrolled probe.
type Hello struct {
	AgentVersion string            `cbor:"1,keyasint"`
	HostName     string            `cbor:"2,keyasint"`
	OS           string            `cbor:"3,keyasint"` // GOOS
	Arch         string            `cbor:"4,keyasint"` // GOARCH
	Boot         uint64            `cbor:"5,keyasint"` // random, drawn at the probe's start
	Time         int64             `cbor:"6,keyasint"` // Unix ms
	Labels       map[string]string `cbor:"7,keyasint,omitempty"`
	// Listen is the TCP port at which the host's kernel answers for the probe,
	// even while that is frozen; 0: none.
	Listen uint16 `cbor:"8,keyasint,omitempty"`
	// Term is the highest that a relay has configured this process with: it tells a
	// relay that another one had the host meanwhile.
	Term uint64 `cbor:"9,keyasint,omitempty"`
	// SiteKeys is the sequence of the newest KeyStatement that the probe has on
	// disk; 0: none.
	SiteKeys uint64 `cbor:"10,keyasint,omitempty"`
}

// MaxTerm is the highest that a probe says it has heard of: it leaves relays room
// to count on.
const MaxTerm = 1 << 53

func (*Hello) messageType() MessageType { return TypeHello }

func (m *Hello) check() error {
	if m.Term > MaxTerm {
		return refuse(Malformed, "term %d", m.Term)
	}
	if m.SiteKeys > maxStatementSequence {
		return refuse(Malformed, "sequence %d of site keys", m.SiteKeys)
	}
	return firstError(
		checkText("agent version", m.AgentVersion, MaxVersion),
		checkText("host name", m.HostName, MaxHostName),
		checkText("operating system", m.OS, MaxPlatform),
		checkText("architecture", m.Arch, MaxPlatform),
		checkTime("time", m.Time),
		checkLabels(m.Labels),
	)
}

func checkLabels(labels map[string]string) error {
	if len(labels) > MaxLabels {
		return refuse(TooLarge, "%d labels, at most %d", len(labels), MaxLabels)
	}
	for k, v := range labels {
		if k == "" {
			return refuse(Malformed, "label without a name")
		}
		if err := firstError(checkText("label name", k, MaxLabelKey), checkText("label value", v, MaxLabelValue)); err != nil {
			return err
		}
	}
	return nil
}
