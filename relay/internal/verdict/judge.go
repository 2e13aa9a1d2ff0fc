package verdict

import "assimilation/uplink"

// answer is what a whole round of asking (echoes and connects) brought.
type answer uint8

const (
	unasked  answer = iota // no round is complete
	nothing                // neither the agent nor the kernel answered
	taken                  // the kernel took a connection, the agent is mute
	refused                // the kernel refused one: nobody listens
	agentOut               // the agent is mute, its kernel could not be asked
	answers
)

// facts is what speaks for and against a host, counted.
type facts struct {
	missed  int // watchers that miss it
	refused int // whose beats its kernel refuses
	weak    int // that miss it, but were late themselves, or were wrong too often
	hearing int // that hear it
	waiting int // whose word is still to be expected
	mute    int // that cannot speak: they are down or doubted, or their edge is too new
	unheard bool
	silent  bool // its session is
	answer  answer
	rounds  int // that brought this answer, one after the other
}

func (f facts) accusers() int { return f.missed + f.refused + f.weak }

// sentence is what follows from facts: a verdict, or that another round of
// asking is worth its while; neither: time will tell.
type sentence struct {
	kind       uplink.VerdictKind
	confidence uint8
	again      bool
}

// judge is the decision table of the package's documentation.
func judge(f facts) sentence {
	witnesses := f.missed
	if f.unheard {
		witnesses++
	}
	if f.answer == unasked || f.waiting > 0 && witnesses+f.refused < 2 {
		return sentence{}
	}
	if f.hearing > 0 {
		// Somebody hears it whom the relay hears: only the session's long silence
		// outweighs that.
		if f.answer == nothing && f.silent && f.accusers() > 0 {
			return after(f, 3, uplink.HostDown, 40)
		}
		return sentence{}
	}
	switch f.answer {
	case taken:
		switch {
		case f.refused > 0: // it may just have been killed
			return after(f, 2, uplink.ProbeUnresponsive, 85)
		case witnesses >= 2:
			return after(f, 1, uplink.ProbeUnresponsive, 95)
		case witnesses == 1:
			return after(f, 2, uplink.ProbeUnresponsive, 85)
		case f.weak >= 2:
			return after(f, 2, uplink.ProbeUnresponsive, 75)
		case f.weak > 0 || f.silent || f.mute > 0:
			return after(f, 3, uplink.ProbeUnresponsive, 70)
		}
	case refused:
		switch {
		case witnesses+f.refused >= 1:
			return after(f, 1, uplink.ProbeDown, 95)
		case f.weak > 0 || f.silent || f.mute > 0:
			return after(f, 2, uplink.ProbeDown, 80)
		}
	case nothing:
		switch {
		case f.refused > 0 && f.missed == 0:
			return after(f, 2, uplink.ProbeDown, 60)
		case witnesses >= 2:
			return after(f, 1, uplink.HostDown, 95)
		case witnesses == 1:
			return after(f, 2, uplink.HostDown, 80)
		case f.weak >= 2:
			return after(f, 2, uplink.HostDown, 60)
		case f.weak == 1:
			return after(f, 3, uplink.HostDown, 50)
		case f.mute > 0:
			return after(f, 2, uplink.HostDown, 60)
		case f.silent:
			return after(f, 2, uplink.HostDown, 40)
		}
	case agentOut:
		switch {
		case f.refused >= 2:
			return after(f, 1, uplink.ProbeDown, 70)
		case f.refused == 1:
			return after(f, 1, uplink.ProbeDown, 60)
		case witnesses >= 2:
			return after(f, 1, uplink.HostDown, 70)
		case f.silent:
			return after(f, 3, uplink.HostDown, 30)
		case witnesses == 1:
			return sentence{again: f.rounds < 2}
		}
	}
	return sentence{}
}

// after is a verdict that needs so many rounds of the same answer.
func after(f facts, rounds int, kind uplink.VerdictKind, confidence uint8) sentence {
	if f.rounds < rounds {
		return sentence{again: true}
	}
	return sentence{kind: kind, confidence: confidence}
}
