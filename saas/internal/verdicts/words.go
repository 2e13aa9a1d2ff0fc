package verdicts

import (
	"cmp"
	"fmt"
	"time"

	"assimilation/uplink"
)

// title says a verdict in a line.
func title(v Verdict) string {
	who := "a host"
	if len(v.Hosts) > 0 {
		who = cmp.Or(v.Hosts[0].Name, who)
	}
	behind := ""
	if v.Count > 0 {
		behind = ", with " + hosts(v.Count)
	}
	switch uplink.VerdictKind(v.Kind) {
	case uplink.HostDown:
		return who + " is down"
	case uplink.ProbeDown:
		return "the probe of " + who + " is down"
	case uplink.ProbeUnresponsive:
		return "the probe of " + who + " does not respond"
	case uplink.HostShutDown:
		return who + " was shut down"
	case uplink.LinkDown:
		if len(v.Hosts) == 2 {
			return who + " and " + cmp.Or(v.Hosts[1].Name, "another host") + " do not hear each other"
		}
		return "hosts do not hear each other"
	case uplink.SwitchDown:
		return "a switch is down" + behind
	case uplink.ZoneDown:
		return "a zone is down" + behind
	case uplink.SiteCutOff:
		return "the relay " + v.Relay + " is cut off from its hosts"
	case uplink.Clone:
		return "the key of " + who + " speaks from two places"
	case uplink.ClockStepped:
		return "the clock of " + who + " was set"
	}
	switch v.Kind {
	case siteDark:
		return "nothing is heard of the site " + v.Site + behind
	case relayStopped:
		return "the relay of " + v.Site + " was stopped" + behind
	}
	return v.Kind // of a newer version
}

func hosts(n int64) string {
	if n == 1 {
		return "1 host"
	}
	return fmt.Sprintf("%d hosts", n)
}

// meaning says what a kind of verdict claims.
func meaning(kind string) string {
	switch uplink.VerdictKind(kind) {
	case uplink.HostDown:
		return "Its neighbours and the relay do not hear it, and its kernel answers nothing."
	case uplink.ProbeDown:
		return "The host lives: its kernel says that nobody listens where its probe did. The probe said no goodbye."
	case uplink.ProbeUnresponsive:
		return "The host's kernel answers, and its probe is there, but it does nothing."
	case uplink.HostShutDown:
		return "Its probe said goodbye: the host was shut down, or somebody stopped the probe alone. The event beside it says which."
	case uplink.LinkDown:
		return "Two hosts accuse each other, and the relay hears both: what lies between them is broken."
	case uplink.SwitchDown:
		return "All or nearly all hosts behind one switch, or of one subnet where no switch is known, are gone, as seen from outside it."
	case uplink.ZoneDown:
		return "All or nearly all hosts of one rack, room or building are gone, as seen from outside it."
	case uplink.SiteCutOff:
		return "The relay hears none of its hosts and has lost its own neighbours: it is the one cut off, and accuses nobody."
	case uplink.Clone:
		return "Two machines use one probe's key, as copies of one disk do. The newer one is kept out."
	case uplink.ClockStepped:
		return "Its wall clock jumped. Times that the host tells before and after do not compare."
	}
	switch kind {
	case siteDark:
		return "The service hears none of the site's relays. How its hosts are is unknown until a relay returns with its own account."
	case relayStopped:
		return "The relay said that it stops. How its hosts are is unknown until it starts again."
	}
	return ""
}

// How the service's own verdicts end. What it means is known only once the relay
// has told its own account.
const (
	heardAgain     = "heard again"
	startedAgain   = "started again"
	wanCut         = "WAN cut"
	relayCutOff    = "relay cut off"
	relayRestarted = "relay restarted"
	noRelayLeft    = "no relay left"

	// Of relays' verdicts that they cannot end themselves.
	relayRevoked   = "relay revoked"
	heardByAnother = "heard by another relay"
)

// endingText says how a verdict ended.
func endingText(v Verdict) string {
	switch v.Ending {
	case heardAgain:
		return "a relay is heard again; its account of the time between is awaited"
	case startedAgain:
		return "the relay started again"
	case wanCut:
		return "the way between the site and the service was cut: the relay worked on, and heard its hosts"
	case relayCutOff:
		return "the relay itself was cut off: it heard none of its hosts either"
	case relayRestarted:
		return "the relay was down: it started again meanwhile"
	case noRelayLeft:
		return "the site's relays were revoked"
	case relayRevoked:
		return "the relay that concluded it was revoked; nobody knows how it went on"
	case heardByAnother:
		return "another relay of the site serves the host now, and hears it"
	}
	return v.Ending
}

// sureness says a confidence in a word.
func sureness(confidence int) string {
	switch {
	case confidence >= 90:
		return "sure"
	case confidence >= 70:
		return "likely"
	case confidence >= 40:
		return "possible"
	}
	return "weak"
}

// relaySilent is evidence of the service's own.
const relaySilent = "relay silent"

// sentence says a piece of evidence in words.
func sentence(e Evidence) string {
	by, about := "the relay", "it"
	if e.By != nil {
		by = e.By.Name
	}
	if e.About != nil {
		about = e.About.Name
	}
	lasting := ""
	if e.AgeMS > 0 {
		lasting = " for " + short(e.AgeMS)
	}
	text, known := map[string]string{
		uplink.MissedBeats.String():    by + " heard no heartbeat of " + about + lasting,
		uplink.PortRefused.String():    "the kernel of " + about + " told " + by + " that nobody listens on the probe's port",
		uplink.StillHears.String():     by + " still hears " + about,
		uplink.NoEcho.String():         about + " did not answer the echo of " + by + lasting,
		uplink.EchoAnswered.String():   about + " answered the echo of " + by,
		uplink.NoConnect.String():      "the kernel of " + about + " did not answer a connection from " + by + lasting,
		uplink.ConnectTaken.String():   "the kernel of " + about + " took a connection from " + by,
		uplink.ConnectRefused.String(): "the kernel of " + about + " refused a connection from " + by + ": it lives, and nobody listens",
		uplink.OrderUnheard.String():   about + " did not acknowledge an order of the relay" + lasting,
		uplink.SaidGoodbye.String():    about + " said goodbye",
		uplink.WitnessLate.String():    by + " was late with its own heartbeats, so its word counts less",
		uplink.HeardAgain.String():     about + " is heard again by " + by,
		uplink.NoCarrier.String():      "the relay's own link is down",
		uplink.RelayDeaf.String():      "the relay hears none of " + hosts(e.Count),
		uplink.KeyElsewhere.String():   "the key of " + about + " speaks from two places",
		uplink.ClockJumped.String():    "the clock of " + about + " jumped by " + short(e.AgeMS),
		uplink.WitnessGone.String():    by + " is not heard itself, so it is no witness",
		relaySilent:                    fmt.Sprintf("none of the site's relays (%d) was heard%s", e.Count, lasting),
	}[e.Code]
	if !known {
		return e.Code + lasting // of a newer version
	}
	return text
}

// short says milliseconds as a person would: "1.9 s", "2 min 5 s", "-3 h".
func short(ms int64) string {
	d := time.Duration(ms) * time.Millisecond
	switch a := d.Abs(); {
	case a < time.Second:
		return fmt.Sprintf("%d ms", ms)
	case a < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case a < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(a.Seconds())%60)
	case a < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(a.Minutes())%60)
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}
