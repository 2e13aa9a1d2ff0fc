package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"assimilation/discovery"
	"assimilation/discovery/collectors"
	"assimilation/probe"
	"assimilation/probe/internal/state"
	"assimilation/probe/internal/status"
	"assimilation/tenancy"
	"assimilation/wire"
)

func doctorFlags(set *flag.FlagSet, o *options) {
	networkFlags(set, o)
	discoveryFlags(set, o)
}

// examination collects what doctor finds.
type examination struct {
	o     *options
	wrong int
	token *tenancy.Token
	pin   *state.Pin
	// siteKeys is what the probe has heard of its site's keys; nil: nothing.
	siteKeys *wire.KeyStatement
	running  *status.Report
}

func (e *examination) fine(what, format string, args ...any) {
	fmt.Fprintf(e.o.Out, "ok     %-10s %s\n", what, fmt.Sprintf(format, args...))
}

// bad prints what is wrong, and what to do about it.
func (e *examination) bad(what, found, remedy string) {
	e.wrong++
	fmt.Fprintf(e.o.Out, "WRONG  %-10s %s\n%18s-> %s\n", what, found, "", remedy)
}

func doctor(ctx context.Context, o *options, _ []string) int {
	e := &examination{o: o}
	e.checkState()
	e.checkToken()
	e.checkRunning()
	e.checkRights()
	e.checkRelay(ctx)
	e.checkSession()
	e.checkKinds(ctx)
	if e.wrong > 0 {
		fmt.Fprintf(o.Out, "\n%d things are wrong\n", e.wrong)
		return exitWrong
	}
	return exitOK
}

func (e *examination) checkState() {
	info, err := os.Stat(e.o.state)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.bad("state", e.o.state+" does not exist", "start the probe as root once, or make the directory with mode 0700 for the probe's user")
		return
	case err != nil:
		e.bad("state", err.Error(), "run doctor as root or as the probe's user")
		return
	case !info.IsDir():
		e.bad("state", e.o.state+" is not a directory", "choose another --state")
		return
	case info.Mode().Perm()&0o077 != 0:
		e.bad("state", fmt.Sprintf("%s has mode %04o: others can reach the probe's key", e.o.state, info.Mode().Perm()), "chmod 0700 "+e.o.state)
	}
	if _, err := state.ReadKey(e.o.state); err != nil {
		remedy := "run doctor as root or as the probe's user"
		if errors.Is(err, fs.ErrNotExist) {
			remedy = "start the probe once; it makes its key"
		}
		e.bad("key", err.Error(), remedy)
	} else {
		e.fine("key", "in %s", e.o.state)
	}
	if e.pin, err = state.ReadPin(e.o.state); err != nil {
		e.bad("site", err.Error(), "remove the file, give a token and restart the probe")
	} else if e.pin != nil {
		e.fine("site", "this host is %s", e.pin.Host)
	}
	if e.siteKeys, err = state.ReadSiteKeys(e.o.state); err != nil {
		e.bad("site", err.Error(), "remove the file and restart the probe")
	}
}

func (e *examination) checkToken() {
	text, err := e.o.token()
	switch {
	case err != nil:
		e.bad("token", err.Error(), "check ASSIM_TOKEN_FILE and the file's owner")
		return
	case text == "" && e.pin != nil:
		e.fine("token", "none, and none needed: the host is enrolled")
		return
	case text == "":
		e.bad("token", "none, and the host is not enrolled", "mint one on the site's page or by `assim token create`, and give it by ASSIM_TOKEN_FILE")
		return
	}
	token, err := tenancy.ParseToken(text)
	switch {
	case err != nil:
		e.bad("token", err.Error(), "copy the token again, whole")
	case token.Kind != tenancy.EnrolToken:
		e.bad("token", fmt.Sprintf("is of kind %s", token.Kind), "a probe takes one that begins with asm_"+string(tenancy.EnrolToken)+"_")
	case e.pin != nil && e.siteKeys != nil && e.siteKeys.Former == token.Pin:
		e.fine("token", "%s pins a key that the site has replaced since; none is needed: the host is enrolled", token.ID)
	case e.pin != nil && !slices.Contains(e.trusted(), token.Pin):
		e.bad("token", "is of another site than the one this host is enrolled in", "remove the token; or stop the probe and run assim-probe enrol --move to move the host")
	default:
		e.token = &token
		e.fine("token", "%s, undamaged (whether it is expired, used up or revoked only the relay knows)", token.ID)
	}
}

func (e *examination) checkRunning() {
	r, err := status.Ask(e.o.state)
	switch {
	case errors.Is(err, status.ErrNotRunning):
		e.bad("probe", "is not running with this state directory", "systemctl start assim-probe, or assim-probe run")
	case err != nil:
		e.bad("probe", err.Error(), "run doctor as root or as the probe's user")
	default:
		e.running = &r
		e.fine("probe", "%s runs as pid %d", r.Version, r.PID)
	}
}

// checkRights compares what the kinds need with what the running probe, or
// else this process, may do.
func (e *examination) checkRights() {
	pid := os.Getpid()
	if e.running != nil {
		pid = e.running.PID
	}
	held, err := heldCapabilities(pid)
	if err != nil {
		e.bad("rights", err.Error(), "run doctor as root")
		return
	}
	lacking := map[discovery.Capability][]string{}
	for _, c := range collectors.All(e.o.discovery) {
		for _, need := range c.Kind().Needs {
			if !held[need] {
				lacking[need] = append(lacking[need], c.Kind().Name)
			}
		}
	}
	for _, need := range slices.Sorted(maps.Keys(lacking)) {
		e.bad("rights", fmt.Sprintf("%s is missing for %s", need, strings.Join(lacking[need], ", ")),
			"start the probe by its systemd unit, which grants it; or as root")
	}
	if len(lacking) == 0 {
		e.fine("rights", "all that the kinds need")
	}
}

func (e *examination) checkSession() {
	if e.running == nil {
		return
	}
	switch r := e.running; {
	case r.Settled:
		e.fine("session", "with %s; %d of %d facts are at the relay", r.Relay, r.FactsSent, r.FactsHeld)
	case r.Stuck != "":
		e.bad("session", "none: "+r.Stuck, "see the probe's log: journalctl -u assim-probe")
	default:
		e.bad("session", "none", "see the lines about relay and token")
	}
}

func (e *examination) checkKinds(ctx context.Context) {
	if e.running != nil {
		for _, name := range slices.Sorted(maps.Keys(e.running.Problems)) {
			e.bad("kind", name+": "+e.running.Problems[name], "see the line about rights, and the probe's log")
		}
		if len(e.running.Problems) == 0 {
			e.fine("kinds", "none is degraded")
		}
		return
	}
	all, _ := withMembers(ctx, collectors.All(e.o.discovery)) // who is refused is said with the kind scripts
	probe.Facts(ctx, all, func(kind discovery.Kind, facts []discovery.Fact, err error) {
		if err != nil {
			e.bad("kind", fmt.Sprintf("%s: %v", kind.Name, err), "see the line about rights")
			return
		}
		e.fine("kind", "%s: %d facts", kind.Name, len(facts))
	})
}

// trusted are the keys of the site that the probe belongs to.
func (e *examination) trusted() wire.Keys {
	keys, _ := wire.Trusted(e.pin.Site, e.siteKeys)
	return keys
}
