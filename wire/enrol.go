package wire

// Enrol is the first message of a probe that no relay of the site knows yet.
// It is idempotent by the probe's static key, which the handshake proved:
// repeating it, with the same or another token, spends no second use.
type Enrol struct {
	TokenID  string `cbor:"1,keyasint"` // TokenIDSize characters of 0-9A-Za-z
	Secret   []byte `cbor:"2,keyasint"` // SecretSize bytes
	HostName string `cbor:"3,keyasint"` // as uname -n says, at most MaxHostName bytes
	// MachineID is SHA-256("assimilation machine" 0x00 site key, machine id):
	// tells a reinstalled probe from a clone without telling who it is.
	MachineID []byte `cbor:"4,keyasint,omitempty"`
	Time      int64  `cbor:"5,keyasint"` // wall clock, Unix ms, for the refusal "clock skew"
}

func (*Enrol) messageType() MessageType { return TypeEnrol }

func (m *Enrol) check() error {
	return firstError(
		checkAlphanumeric("token id", m.TokenID, TokenIDSize),
		checkSize("secret", m.Secret, SecretSize),
		checkText("host name", m.HostName, MaxHostName),
		checkOptionalSize("machine id", m.MachineID, HashSize),
		checkTime("time", m.Time),
	)
}
