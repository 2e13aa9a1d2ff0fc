package send

import "time"

// echoTries are the waits for an answer to the echo and its repetitions. After
// the last the session is lost.
var echoTries = [...]time.Duration{time.Second, 2 * time.Second, 4 * time.Second}

// doubtTries are the same where something else speaks against the relay already:
// its own heartbeats have stopped.
var doubtTries = [...]time.Duration{500 * time.Millisecond, time.Second, 1500 * time.Millisecond}

const (
	echoJitter = 0.1
	// quiet is how long a relay may be silent while something is under way
	// before it is asked: with the tries above, 8 s to a lost session. A relay
	// that is alive but grants no credit answers, and keeps the session.
	quiet = time.Second
)

// liveness decides when to ask for a sign of life and when there is none.
type liveness struct {
	interval     time.Duration
	random       func() float64
	next         time.Time // of the next echo, or of giving up the last try
	tries        int       // echoes without an answer
	doubted      bool
	pendingSince time.Time // since when something waits for acknowledgement; zero: nothing does
	last         time.Time // of the last authentic datagram
	rtt          time.Duration
}

func newLiveness(interval time.Duration, now time.Time, random func() float64) liveness {
	l := liveness{random: random, last: now}
	l.every(interval, now)
	return l
}

// every sets the interval between echoes.
func (l *liveness) every(interval time.Duration, now time.Time) {
	l.interval = interval
	l.next = now.Add(l.jittered())
}

func (l *liveness) jittered() time.Duration {
	return time.Duration(float64(l.interval) * (1 + echoJitter*(2*l.random()-1)))
}

// heard notes an authentic datagram, which is as good as an answer.
func (l *liveness) heard(now time.Time) {
	l.last = now
	if l.tries > 0 || !l.pendingSince.IsZero() {
		l.tries, l.doubted = 0, false
		l.next = now.Add(l.jittered())
	}
}

// doubt has the peer asked at once.
func (l *liveness) doubt(now time.Time) {
	l.doubted = true
	if l.tries == 0 {
		l.next = now
	}
}

// step says whether an echo is to be sent now, or that the peer is lost.
func (l *liveness) step(now time.Time) (ask, lost bool) {
	if now.Before(l.next) {
		return false, false
	}
	if l.tries == len(echoTries) {
		return false, true
	}
	if l.next = now.Add(echoTries[l.tries]); l.doubted {
		l.next = now.Add(doubtTries[l.tries])
	}
	l.tries++
	return true, false
}

// pending notes whether anything waits for an acknowledgement.
func (l *liveness) pending(any bool, now time.Time) {
	switch {
	case !any:
		l.pendingSince = time.Time{}
	case l.pendingSince.IsZero():
		l.pendingSince = now
	}
	if any && l.tries == 0 {
		if soon := latest(l.pendingSince, l.last).Add(quiet); soon.Before(l.next) {
			l.next = soon
		}
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
