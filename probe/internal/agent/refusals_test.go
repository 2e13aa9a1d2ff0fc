package agent_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"assimilation/probe/internal/agent"
	"assimilation/wire"
)

func TestRefusalsOfEnrolment(t *testing.T) {
	for _, reason := range []wire.Reason{wire.Expired, wire.UsedUp, wire.Revoked, wire.WrongSite, wire.UnknownToken, wire.ClockSkew, wire.NoAllowance} {
		t.Run(reason.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, site := newNetwork(), newSite(t)
				tries, refusing := 0, true
				low, high := 1, 1
				if reason.Temporary() || reason == wire.UnknownToken {
					low, high = 7, 11 // soon at first, then every 30 s or more rarely
				}
				site.refuse = func(m wire.Message) wire.Reason {
					if _, ok := m.(*wire.Enrol); ok && refusing {
						tries++
						return reason
					}
					return wire.Accepted
				}
				defer site.start(t, n, relayAddress)()
				h := boot(t, n, &site.token, nil)
				defer h.stop()
				time.Sleep(3 * time.Minute)
				synctest.Wait()
				site.look(func() {
					if tries < low || tries > high {
						t.Errorf("%d tries within 3 minutes, want %d to %d", tries, low, high)
					}
					if said := h.log.count("level=ERROR"); said != 1 || h.log.count(`"enrolment was refused: `+reason.String()) != 1 {
						t.Errorf("%d errors logged: %s", said, h.log.b.String())
					}
					refusing = false
				})
				site.until(t, "enrolled at last", 7*time.Minute, func() bool { return site.uses == 1 })
			})
		})
	}
}

func TestEnrolOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, site := newNetwork(), newSite(t)
		defer site.start(t, n, relayAddress)()
		once := func(c *agent.Config) { c.EnrolOnly = true }
		h := boot(t, n, &site.token, once)
		site.until(t, "enrolled", time.Minute, func() bool { return site.uses == 1 })
		time.Sleep(time.Second)
		err := h.stop()
		site.look(func() {
			if err != nil || h.home.pin == nil || site.count("hello") != 0 {
				t.Errorf("%v, pin %v, %v", err, h.home.pin, site.log)
			}
		})
		site.look(func() { site.refuse = func(wire.Message) wire.Reason { return wire.UsedUp } })
		h = boot(t, n, &site.token, once)
		time.Sleep(time.Minute)
		var refused *agent.Refused
		if err = h.stop(); !errors.As(err, &refused) || refused.Reason != wire.UsedUp {
			t.Errorf("%v, want used up", err)
		}
	})
}

func TestWrongSite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, ours, other := newNetwork(), newSite(t), newSite(t)
		defer other.start(t, n, "10.0.0.2:1984")()
		h := boot(t, n, &ours.token, nil)
		defer h.stop()
		other.until(t, "probe says that it is in the wrong site", time.Minute, func() bool {
			for _, a := range other.announces {
				if a.Reason == wire.WrongSite {
					return true
				}
			}
			return false
		})
		time.Sleep(10 * time.Minute)
		other.look(func() {
			told := 0
			for _, a := range other.announces {
				if a.Reason == wire.WrongSite {
					told++
				}
			}
			if told != 1 || h.log.count("level=ERROR") != 1 || other.sessions != 0 {
				t.Errorf("told %d times, logged %d errors, %d sessions", told, h.log.count("level=ERROR"), other.sessions)
			}
		})
		defer ours.start(t, n, relayAddress)()
		ours.until(t, "enrolled in the right site", 2*time.Minute, func() bool { return ours.uses == 1 })
	})
}

func TestDamagedToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, site := newNetwork(), newSite(t)
		defer site.start(t, n, relayAddress)()
		h := boot(t, n, nil, func(c *agent.Config) {
			c.Credential = agent.Credential{Reason: wire.Malformed, Err: errors.New("malformed token: checksum does not match")}
		})
		h.record(factOf(t, "", "secret"))
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		site.mu.Lock()
		announces, log := len(site.announces), site.log
		for _, a := range site.announces {
			if a.Reason != wire.Malformed || a.SiteHint != ([8]byte{}) {
				t.Errorf("announce %+v", a)
			}
		}
		site.mu.Unlock()
		if announces < 15 || announces > 60 || len(log) != 0 {
			t.Errorf("%d announces, messages %v", announces, log)
		}
		if h.log.count("checksum does not match") != 1 {
			t.Error("the reason is not in the log once")
		}
		if err := h.stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestFactRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, site := newNetwork(), newSite(t)
		offers := map[string]int{}
		site.refuse = func(m wire.Message) wire.Reason {
			if f, ok := m.(*wire.FactPut); ok {
				offers[f.Instance]++
				if f.Instance == "bad" && strings.Contains(string(f.Body), "old") {
					return wire.TooLarge
				}
				if f.Instance == "later" && offers["later"] < 3 {
					return wire.NotDurable
				}
			}
			if _, ok := m.(*wire.FactGone); ok {
				if offers["gone"]++; offers["gone"] < 2 {
					return wire.NotDurable
				}
			}
			return wire.Accepted
		}
		defer site.start(t, n, relayAddress)()
		h := boot(t, n, &site.token, nil)
		defer h.stop()
		h.record(factOf(t, "bad", "old"), factOf(t, "later", "x"), factOf(t, "good", "y"))
		site.until(t, "good and later", 2*time.Minute, func() bool { return len(site.facts) == 2 })
		site.look(func() {
			if offers["bad"] != 1 || offers["later"] != 3 {
				t.Errorf("offers %v", offers)
			}
		})
		if h.log.count("relay refused a message") != 3 {
			t.Error("refusals are not in the log")
		}
		h.record(factOf(t, "bad", "new"), factOf(t, "later", "x"), factOf(t, "good", "y"))
		site.until(t, "the changed one", time.Second, func() bool { return len(site.facts) == 3 })
		h.record(factOf(t, "later", "x"), factOf(t, "good", "y"))
		site.until(t, "the end of one, at the second try", time.Minute, func() bool { return len(site.facts) == 2 })
	})
}
