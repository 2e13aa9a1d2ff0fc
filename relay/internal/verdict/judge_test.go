package verdict

import (
	"testing"

	"assimilation/uplink"
)

// TestJudge holds the table of the package's documentation.
func TestJudge(t *testing.T) {
	again := sentence{again: true}
	is := func(kind uplink.VerdictKind, confidence uint8) sentence {
		return sentence{kind: kind, confidence: confidence}
	}
	for _, test := range []struct {
		name  string
		facts facts
		want  sentence
	}{
		{"nobody asked yet", facts{missed: 2}, sentence{}},
		{"two witnesses, silence", facts{missed: 2, answer: nothing, rounds: 1}, is(uplink.HostDown, 95)},
		{"two witnesses, a third may speak", facts{missed: 2, waiting: 1, answer: nothing, rounds: 1}, is(uplink.HostDown, 95)},
		{"one witness and an order not acknowledged", facts{missed: 1, unheard: true, answer: nothing, rounds: 1}, is(uplink.HostDown, 95)},
		{"one witness, the other may speak", facts{missed: 1, waiting: 1, answer: nothing, rounds: 2}, sentence{}},
		{"one witness alone", facts{missed: 1, mute: 1, answer: nothing, rounds: 1}, again},
		{"asked again", facts{missed: 1, mute: 1, answer: nothing, rounds: 2}, is(uplink.HostDown, 80)},
		{"one late witness", facts{weak: 1, mute: 1, answer: nothing, rounds: 2}, again},
		{"asked three times", facts{weak: 1, mute: 1, answer: nothing, rounds: 3}, is(uplink.HostDown, 50)},
		{"two late witnesses", facts{weak: 2, answer: nothing, rounds: 2}, is(uplink.HostDown, 60)},
		{"all witnesses are gone", facts{mute: 2, answer: nothing, rounds: 2}, is(uplink.HostDown, 60)},
		{"no witnesses, a silent session", facts{silent: true, answer: nothing, rounds: 2}, is(uplink.HostDown, 40)},
		{"no witnesses, and nothing else", facts{answer: nothing, rounds: 9}, sentence{}},
		{"one misses it, one hears it", facts{missed: 1, hearing: 1, answer: nothing, rounds: 9}, sentence{}},
		{"its session is silent, too", facts{missed: 1, hearing: 1, silent: true, answer: nothing, rounds: 3}, is(uplink.HostDown, 40)},
		{"all hear it", facts{hearing: 2, silent: true, answer: nothing, rounds: 9}, sentence{}},
		{"two witnesses, the kernel answers", facts{missed: 2, answer: taken, rounds: 1}, is(uplink.ProbeUnresponsive, 95)},
		{"one witness, the kernel answers", facts{missed: 1, mute: 1, answer: taken, rounds: 1}, again},
		{"asked again, it answers", facts{missed: 1, mute: 1, answer: taken, rounds: 2}, is(uplink.ProbeUnresponsive, 85)},
		{"two late witnesses, the kernel answers", facts{weak: 2, answer: taken, rounds: 2}, is(uplink.ProbeUnresponsive, 75)},
		{"all mute, the kernel answers", facts{mute: 2, answer: taken, rounds: 3}, is(uplink.ProbeUnresponsive, 70)},
		{"just killed: connected before, refused since", facts{refused: 2, answer: taken, rounds: 1}, again},
		{"the kernel refuses", facts{missed: 1, answer: refused, rounds: 1}, is(uplink.ProbeDown, 95)},
		{"also the witnesses", facts{refused: 2, answer: refused, rounds: 1}, is(uplink.ProbeDown, 95)},
		{"the kernel refuses witnesses only", facts{refused: 2, answer: nothing, rounds: 2}, is(uplink.ProbeDown, 60)},
		{"one says that it refuses, one misses it", facts{refused: 1, missed: 1, answer: nothing, rounds: 2}, is(uplink.HostDown, 80)},
		{"no port, two witnesses", facts{missed: 2, answer: agentOut, rounds: 1}, is(uplink.HostDown, 70)},
		{"no port, one witness", facts{missed: 1, answer: agentOut, rounds: 9}, sentence{}},
		{"no port, refused", facts{refused: 1, answer: agentOut, rounds: 1}, is(uplink.ProbeDown, 60)},
		{"no port, a silent session", facts{silent: true, answer: agentOut, rounds: 3}, is(uplink.HostDown, 30)},
	} {
		if got := judge(test.facts); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}
