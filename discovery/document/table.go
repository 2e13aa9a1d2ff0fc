package main

import (
	"fmt"
	"slices"
	"strings"

	"assimilation/discovery"
	"assimilation/discovery/portable"
	"assimilation/discovery/scripts"
)

// table is docs/kinds.md.
func table(pages []page) string {
	pages = slices.Clone(pages)
	slices.SortFunc(pages, func(a, b page) int { return strings.Compare(a.kind.Name, b.kind.Name) })
	var b strings.Builder
	fmt.Fprintf(&b, `# Kinds of facts

%s
What a probe finds out about its host, one kind for each sort of thing. `+"`assim-probe facts KIND`"+` prints what would be sent,
`+"`assim-probe facts --cost`"+` what it costs here. To add one: [add-a-kind.md](add-a-kind.md); your own scripts: [scripts.md](scripts.md);
what becomes of facts in the graph: [graph.md](graph.md).

| kind | what | collected | cost | rights | residency |
|---|---|---|---|---|---|
`, generated)
	for i := range pages {
		p := &pages[i]
		fmt.Fprintf(&b, "| [%s](kinds/%s.md) | %s | %s | %s | %s | %s |\n", p.kind.Name, p.kind.Name, cell(p.kind.Doc), p.trigger(), cost(p.kind), p.rights(), p.leaves())
	}
	fmt.Fprintf(&b, "| [%sNAME](scripts.md) | what the script NAME of the host says | every %s unless its conf file says otherwise; when it was edited | the script's | the probe's | leaves the site |\n",
		discovery.ScriptPrefix, plain(scripts.DefaultInterval))
	b.WriteString("\nThese are collected on Linux. On Windows, macOS and FreeBSD: " + elsewhere() + ". They are asked for from time to time there, not by event.\n")
	b.WriteString("\nA kind that lacks a right reports what it can, and that it is degraded. All collections are one at a time; scripts have a queue of their own.\n\n## Cost\n\n")
	for _, c := range costs {
		fmt.Fprintf(&b, "- **%s**: %s; ended after %s\n", c.name, c.means, plain(c.within))
	}
	b.WriteString("\nMeasured: [performance.md](performance.md).\n" + ancestors)
	return b.String()
}

// elsewhere names the kinds that other systems than Linux have.
func elsewhere() string {
	var names []string
	for _, c := range portable.All(portable.System{}) {
		names = append(names, fmt.Sprintf("[%s](kinds/%s.md)", c.Kind().Name, c.Kind().Name))
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// ancestors is what became of the agents of the Assimilation Project.
const ancestors = `
## What the ancestor had

Agents of the Assimilation Project that are other kinds here: ` + "`netconfig`" + ` and ` + "`#SWITCH`" + ` (network, switchport), ` + "`arpcache`" + ` and ` + "`#ARP`" + `
(neighbours, seen), ` + "`tcpdiscovery`" + ` (sockets, processes), ` + "`cpu`" + ` (hardware), ` + "`proc_sys`" + ` (sysctl), ` + "`findmnt`" + ` (mounts), ` + "`partitions`" + ` and ` + "`mdadm`" + ` (disks),
` + "`docker`" + ` (containers), ` + "`auditd_conf`" + ` (auditd), ` + "`ulimit`" + ` (limits: what sessions get, not what the agent got), ` + "`login_defs`" + ` (logindefs).

What stays out:

- ` + "`upstart`" + `: no supported distribution starts by it; systemd has a kind.
- ` + "`vagrant`" + `: its machines are guests of libvirt or another hypervisor, found as such (virtual); its own list is a developer's, per user.
- ` + "`monitoringagents`" + `: a list of installed check scripts tells nothing of the host; it comes with checks of services.
- the proxies by which agents ran inside containers: images have digests (containers), and packages of images are scanned by these, not by the
  host.
`
