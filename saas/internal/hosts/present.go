package hosts

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"assimilation/discovery/network"
	"assimilation/discovery/os"
	"assimilation/discovery/packages"
	"assimilation/discovery/sockets"
	"assimilation/saas/internal/web/ui"
)

// since is when the host came into its state.
func since(h Host) time.Time {
	if h.RetiredAt != nil {
		return *h.RetiredAt
	}
	return h.StateAt
}

// reason says why the host is in its state, after the word for it.
func reason(h Host) string {
	if h.State == "unknown" {
		return "nothing is heard of its site; last known: " + h.LastState
	}
	if h.Verdict != nil && h.VerdictKind != h.State {
		return h.VerdictKind
	}
	return "why"
}

func tabs(h Host, current string) []ui.Tab {
	path := string(pathOf(h))
	var all []ui.Tab
	for _, t := range []struct{ view, text string }{
		{"", "Summary"}, {"services", "Services"}, {"within", "Within"}, {"packages", "Packages"}, {"network", "Network"},
		{"dependencies", "Dependencies"}, {"changes", "Changes"}, {"timeline", "Timeline"}, {"past", "Past"},
	} {
		href := path
		if t.view != "" {
			href += "/" + t.view
		}
		all = append(all, ui.Tab{Href: href, Text: t.text, Current: t.view == current})
	}
	return append(all, ui.Tab{Href: "/map?host=" + h.ID.String(), Text: "Map"})
}

// kindRow sums up the facts of one kind.
type kindRow struct {
	kind   string
	count  int
	size   int64
	seenAt time.Time // of the newest
}

// byKind sums up facts, which are sorted by kind.
func byKind(facts []Fact) []kindRow {
	var rows []kindRow
	for _, f := range facts {
		if len(rows) == 0 || rows[len(rows)-1].kind != f.Kind {
			rows = append(rows, kindRow{kind: f.Kind})
		}
		r := &rows[len(rows)-1]
		r.count++
		r.size += int64(f.Size)
		if f.SeenAt.After(r.seenAt) {
			r.seenAt = f.SeenAt
		}
	}
	return rows
}

func whyNoFacts(h Host) string {
	if h.RetiredAt != nil {
		return "The host is retired: its facts are gone, its history stays."
	}
	return "Its probe has enrolled and not reported yet."
}

func systemName(f os.Facts) string {
	return cmp.Or(f.Release.PrettyName, f.Release.Name, f.Release.ID)
}

// addressesOf lists the addresses that say where a host is: neither loopback
// nor link-local, nor behind a bridge of its own.
func addressesOf(facts []network.Facts) []string {
	var all []string
	for _, f := range facts {
		for _, l := range f.Links {
			for _, a := range l.Addresses {
				ip, err := netip.ParseAddr(a.IP)
				if err == nil && !l.Private && !ip.IsLoopback() && !ip.IsLinkLocalUnicast() {
					all = append(all, a.IP+"/"+strconv.FormatInt(a.Prefix, 10)+" "+l.Name)
				}
			}
		}
	}
	return all
}

func endpoint(ip string, port int64, protocol string) string {
	if strings.Contains(ip, ":") {
		ip = "[" + ip + "]"
	}
	return ip + ":" + strconv.FormatInt(port, 10) + "/" + protocol
}

// listenRow is one line of what a service listens on.
type listenRow struct{ text, note string }

// listenRows folds the addresses of one wildcard listener into a line.
func listenRows(s sockets.Service) []listenRow {
	var rows []listenRow
	at := map[string]int{}
	count := map[string]int{}
	for _, l := range s.Listens {
		if l.Wildcard == "" {
			note := ""
			if l.Device != "" {
				note = "on " + l.Device
			}
			rows = append(rows, listenRow{endpoint(l.IP, l.Port, l.Protocol), note})
			continue
		}
		text := endpoint(l.Wildcard, l.Port, l.Protocol)
		count[text]++
		if _, ok := at[text]; !ok {
			at[text] = len(rows)
			rows = append(rows, listenRow{text: text})
		}
	}
	for text, i := range at {
		rows[i].note = ui.Count(count[text], "address", "addresses")
	}
	return rows
}

func userOf(s sockets.Service) string {
	if s.UID < 0 {
		return "unknown"
	}
	if s.GID < 0 {
		return strconv.FormatInt(s.UID, 10)
	}
	return strconv.FormatInt(s.UID, 10) + ":" + strconv.FormatInt(s.GID, 10)
}

func linkState(l network.Link) string {
	if !l.AdminUp {
		return "off"
	}
	return l.OperState
}

func linkTone(l network.Link) ui.Tone {
	switch {
	case !l.AdminUp:
		return ui.Idle
	case l.OperState == "up", l.OperState == "unknown":
		return ui.Good
	}
	return ui.Warn
}

func linkType(l network.Link) string {
	if l.Kind != "" {
		return l.Kind
	}
	return l.Type
}

// tableName names the routing tables that have a name of their own, see
// ip-route(8).
func tableName(table int64) string {
	switch table {
	case 253:
		return "default"
	case 254:
		return "main"
	}
	return strconv.FormatInt(table, 10)
}

const maxPackagesShown = 500

type packageRow struct {
	packages.Package
	manager string
}

// searchPackages finds the packages with the text in their name or version, by
// name.
func searchPackages(facts []packages.Facts, text string) (shown []packageRow, matching, all int) {
	text = strings.ToLower(strings.TrimSpace(text))
	for _, f := range facts {
		for _, p := range f.Packages {
			all++
			if text == "" || strings.Contains(strings.ToLower(p.Name), text) || strings.Contains(p.Version, text) {
				shown = append(shown, packageRow{p, f.Manager})
			}
		}
	}
	slices.SortFunc(shown, func(a, b packageRow) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Arch, b.Arch), strings.Compare(a.Version, b.Version))
	})
	matching = len(shown)
	return shown[:min(matching, maxPackagesShown)], matching, all
}

func packagesShown(shown, matching, all int) string {
	switch {
	case shown < matching:
		return "The first " + strconv.Itoa(shown) + " of " + strconv.Itoa(matching) + " that match; search to see others."
	case matching < all:
		return ui.Count(matching, "package", "packages") + " of " + strconv.Itoa(all)
	}
	return ui.Count(all, "package", "packages")
}

// servedBy are the dependencies in which the host is the server, usedBy those
// in which it is the client.
func servedBy(h Host, all []Dependency) []Dependency {
	return slices.DeleteFunc(slices.Clone(all), func(d Dependency) bool { return d.Server.Host != h.ID.String() })
}

func usedBy(h Host, all []Dependency) []Dependency {
	return slices.DeleteFunc(slices.Clone(all), func(d Dependency) bool { return d.Client.Host != h.ID.String() })
}
