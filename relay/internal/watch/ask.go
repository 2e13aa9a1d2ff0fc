package watch

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"

	"assimilation/relay/internal/ring"
	"assimilation/relay/internal/verdict"
)

// maxAsking is how many hosts' kernels are asked at a time: more than the engine
// asks within askLimit, since one that was not asked counts as one without a port.
const maxAsking = 1024

// Connects begin at these times after a host is asked, at the latest; the kernel
// itself would send a lost SYN again only after a second. Where 5 % of packets are
// lost, a try fails one time in ten: all eight together one time in 10^8, four
// would fail once in ten thousand frozen agents.
var connectAt = [...]time.Duration{
	0, 125 * time.Millisecond, 250 * time.Millisecond, 375 * time.Millisecond,
	500 * time.Millisecond, 625 * time.Millisecond, 750 * time.Millisecond, 875 * time.Millisecond,
}

// Dialer makes a TCP connection; a net.Dialer does.
type Dialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// Links says whether the relay's own link towards an address is up.
type Links interface{ Up(to netip.Addr) bool }

// ask asks a host by echo and by connect, and has the answers come back to the
// engine.
func (w *Watch) ask(id ring.ID) {
	h := w.hosts[id]
	if h == nil {
		return
	}
	w.table.Echo(hostID(id), askLimit, func(ok bool) {
		w.post(func(now time.Time) { w.step(now, verdict.Echoed{About: id, OK: ok}) })
	})
	answer := func(o verdict.Outcome) {
		w.post(func(now time.Time) { w.step(now, verdict.Connected{About: id, Outcome: o}) })
	}
	address := netip.AddrPortFrom(h.address.Addr(), h.listen)
	// A probe listens where it sends from. If that is not where its packets come
	// from there is a NAT between, and it would be that one's kernel that answers.
	if !address.IsValid() || h.listen == 0 || h.listen != h.address.Port() {
		answer(verdict.NoPort)
		return
	}
	select {
	case w.asking <- struct{}{}:
	default:
		answer(verdict.NoPort)
		return
	}
	go func() {
		defer func() { <-w.asking }()
		w.carrier(address.Addr())
		ctx, cancel := context.WithTimeout(context.Background(), askLimit)
		defer cancel()
		answer(connect(ctx, w.Dial, address))
	}()
}

// connect tries several times at once whether a kernel answers: one packet may be
// lost.
func connect(ctx context.Context, dialer Dialer, to netip.AddrPort) verdict.Outcome {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	outcomes := make(chan verdict.Outcome, len(connectAt))
	for _, at := range connectAt {
		go func() {
			timer := time.NewTimer(at)
			defer timer.Stop()
			select {
			case <-timer.C:
				outcomes <- try(ctx, dialer, to)
			case <-ctx.Done():
				outcomes <- verdict.NoAnswer
			}
		}()
	}
	result := verdict.NoRoute // if all say so
	for range connectAt {
		switch o := <-outcomes; o {
		case verdict.Taken, verdict.Refused:
			return o
		case verdict.NoAnswer:
			result = o
		}
	}
	return result
}

func try(ctx context.Context, dialer Dialer, to netip.AddrPort) verdict.Outcome {
	conn, err := dialer.DialContext(ctx, "tcp", to.String())
	switch {
	case err == nil:
		_ = conn.Close() // nothing was written
		return verdict.Taken
	case errors.Is(err, syscall.ECONNREFUSED):
		return verdict.Refused
	case errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH):
		return verdict.NoRoute
	}
	return verdict.NoAnswer
}

// carrier looks whether the relay's own link towards a host is up, and goes on
// looking while it is not.
func (w *Watch) carrier(to netip.Addr) {
	up := w.Links.Up(to)
	w.post(func(now time.Time) {
		if up != w.up {
			w.up = up
			w.Log.Info("the relay's own link", "up", up)
			w.step(now, verdict.Carrier{Up: up})
		}
		if !up && !w.looking {
			w.looking = true
			time.AfterFunc(lookAgain, func() {
				w.post(func(time.Time) { w.looking = false })
				w.carrier(to)
			})
		}
	})
}

// lookAgain is how often a link that is down is looked at.
const lookAgain = 500 * time.Millisecond
