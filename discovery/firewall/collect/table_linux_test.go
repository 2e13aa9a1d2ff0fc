package collect

import (
	"slices"
	"testing"
)

// TestRuleOfIptables has a comment in a match, of 256 bytes, and a target whose
// structure is not used to its end (linux/netfilter/nf_tables_compat.h).
func TestRuleOfIptables(t *testing.T) {
	extension := func(name, extension string, info []byte) []byte {
		inner := slices.Concat(attribute(1, []byte(extension+"\x00")), attribute(2, []byte{0, 0, 0, 0}), attribute(3, info))
		return attribute(1, append(attribute(1, []byte(name+"\x00")), attribute(2, inner)...))
	}
	comment := make([]byte, 256)
	copy(comment, "no telnet")
	var a [16][]byte
	a[4] = append(extension("match", "comment", comment), extension("target", "LOG", []byte{4, 0, 'f', 'w', 'd', 0, 0, 0, 0, 0})...)
	r := rule(a)
	if r.Comment != "no telnet" || r.Text != `match name="comment"; target name="LOG" rev=0 info=0400667764` {
		t.Errorf("%+v", r)
	}
}
