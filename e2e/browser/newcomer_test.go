package browser_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"assimilation/e2e/netns"
	"assimilation/e2e/world"
	"assimilation/internal/mailtest"
)

// What the way from nothing to the first dependency map may take.
const (
	mostActions = 12
	mostTime    = 5 * time.Minute
)

// readyWithin is how long a small program may take to begin.
const readyWithin = time.Minute

// TestNewcomer goes the way of somebody who has the README and a browser: signs
// up, follows the letter's link, creates a site, runs the relay's line on one
// machine and the probe's on another, and looks at whom that depends on. It counts
// everything that a hand does: each address, click, field and line.
func TestNewcomer(t *testing.T) {
	for _, program := range []string{"sudo", "curl", "nsenter", "unshare"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("no " + program + ", which the install lines or their machines need")
		}
	}
	lab := netns.New(t, 2)
	post := mailtest.New(t)
	b := open(t)
	b.expected = []string{"The Cross-Origin-Opener-Policy header has been ignored"} // there is no https
	w := world.New(t, world.Options{Empty: true, Listen: lab.Service + ":8080", Env: []string{"ASSIM_SMTP=" + post.URL(), "ASSIM_MAIL_FROM=assim@example.org"}})
	relay, web := newMachine(t, lab.LAN, "relay1"), newMachine(t, lab.Hosts[0].Netns, "web1")
	database := world.Peer(t, world.Node{Netns: lab.Hosts[1].Netns}, "listen", lab.Hosts[1].IP+":5432")
	web.peer("listen", lab.Hosts[0].IP+":8080")
	web.peer("connect", lab.Hosts[1].IP+":5432")
	database.Says("accepted", readyWithin)

	n := &newcomer{b: b, start: time.Now(), pictures: os.Getenv("ASSIM_SCREENSHOTS")}
	n.act("open "+w.URL+"/signup", func() { b.visit(w.URL + "/signup") })
	n.act("type the address", func() { b.fill("input[name=email]", "ada@example.org") })
	n.act("type a password", func() { b.fill("input[name=password]", "correct horse battery") })
	n.act("click Create account", func() { b.click("form button.primary") })
	b.sees("Look into your mail", readyWithin)
	letter := post.Wait("ada@example.org", 1)
	n.act("follow the letter's link", func() { b.visit(w.URL + letter.Link(t)) })
	b.sees("Create a site", readyWithin)
	n.act("click Create site", func() { b.click("form[action='/sites'] button.primary") })
	b.sees("Waiting for the first relay", readyWithin)
	n.act("click copy", func() { b.click("[data-copy=install]") })
	line := b.pasted()
	if shown := b.eval(`document.getElementById("install").textContent`); line != shown {
		t.Fatalf("the clipboard holds %q, the page shows %q", line, shown)
	}
	b.mark()
	n.act("run the line on relay1", func() { relay.run(line) })
	b.sees("Waiting for the first host", mostTime)
	b.says("#relays .badge", "online")
	b.says("#hosts button.primary", "Show the line for hosts")
	b.isMarked()
	n.act("click Show the line for hosts", func() { b.click("#hosts button.primary") })
	b.sees("Install probes", readyWithin)
	n.act("click copy", func() { b.click("[data-copy=install]") })
	line = b.pasted()
	b.mark()
	n.act("run the line on web1", func() { web.run(line) })
	b.sees("Dependency map", mostTime)
	b.says("#hosts .badge", "up")
	b.isMarked()
	n.act("click Dependency map", func() { b.click("#hosts a[href^='/map?host=']") })
	b.holds(".map", lab.Hosts[1].IP+":5432", mostTime) // as text, or as what the canvas is drawn from
	took := time.Since(n.start)

	t.Logf("from the open browser to the first dependency map: %v, %d actions\n%s", took.Round(time.Second), len(n.done), strings.Join(n.done, "\n"))
	if len(n.done) > mostActions {
		t.Errorf("%d actions, not %d", len(n.done), mostActions)
	}
	if took > mostTime {
		t.Errorf("it took %v, not %v", took, mostTime)
	}

	n.looksAround(w.URL, web)
}

// looksAround sees that pages follow what happens, that the theme stays, and that
// nobody sees anything after signing out.
func (n *newcomer) looksAround(url string, web *machine) {
	b := n.b
	b.visit(url + "/hosts")
	b.sees(web.name, readyWithin)
	b.click("tbody th a")
	b.sees("Kernel", readyWithin)
	b.click(`.tabs a[href$="/services"]`)
	b.sees("Listens on", readyWithin)
	b.mark()
	server := web.peer("listen", "127.0.0.1:9999")
	b.sees("127.0.0.1:9999/tcp", readyWithin)
	server.Kill()
	b.gone("127.0.0.1:9999/tcp", readyWithin)
	b.isMarked()

	before := b.eval(`getComputedStyle(document.body).backgroundColor`)
	for b.eval(`document.documentElement.dataset.theme`) != "dark" {
		b.click("button[data-theme-switch]")
	}
	b.visit(url + "/")
	if after := b.eval(`getComputedStyle(document.body).backgroundColor`); after == before {
		b.t.Errorf("the dark theme did not outlive a page: %s, then %s", before, after)
	}
	b.click(`form[action="/signout"] button`)
	b.sees("New here?", readyWithin)
	b.visit(url + "/hosts?name=x")
	if at := b.path(); at != "/signin" {
		b.t.Errorf("after signing out, /hosts is at %s", at)
	}
}

// newcomer counts what is done by hand.
type newcomer struct {
	b        *browser
	start    time.Time
	done     []string
	pictures string // folder of a picture after each action; "": none
}

func (n *newcomer) act(what string, do func()) {
	n.b.t.Helper()
	began := time.Since(n.start)
	do()
	n.done = append(n.done, fmt.Sprintf("%3d. after %5.1f s: %s", len(n.done)+1, began.Seconds(), what))
	if n.pictures != "" {
		n.b.picture(filepath.Join(n.pictures, fmt.Sprintf("newcomer-%02d.png", len(n.done))))
	}
}
