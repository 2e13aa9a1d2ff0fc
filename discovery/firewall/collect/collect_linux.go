package collect

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"assimilation/discovery"
	kind "assimilation/discovery/firewall"
	"assimilation/discovery/internal/conffile"
	"assimilation/discovery/internal/netlink"
	"assimilation/discovery/internal/rtnetlink"
)

// Collector asks the kernel's nf_tables.
type Collector struct {
	root fs.FS
	dial func() (rtnetlink.Conn, error)
}

// New returns a collector of the system whose files are under root; dial opens a
// socket of NETLINK_NETFILTER.
func New(root fs.FS, dial func() (rtnetlink.Conn, error)) *Collector { return &Collector{root, dial} }

// Local returns the collector of this host's (network namespace's) firewall.
func Local() *Collector { return New(os.DirFS("/"), Dial) }

// Dial opens a socket of NETLINK_NETFILTER in the caller's network namespace.
func Dial() (rtnetlink.Conn, error) { return netlink.Dial(unix.NETLINK_NETFILTER) }

// Kind is the kind "firewall".
func (c *Collector) Kind() discovery.Kind { return kind.Kind }

// Collect returns a fact for each table.
func (c *Collector) Collect(context.Context) ([]discovery.Fact, error) {
	files := conffile.NewReader(c.root)
	r := ruleset{tables: map[string]*kind.Facts{}}
	legacy(files, r.tables)
	problems := []error{files.Err()}
	if loaded(files) {
		err := c.read(&r)
		if errors.Is(err, fs.ErrPermission) {
			problems = append(problems, &discovery.Degraded{Needs: discovery.NetAdmin, What: "the rules of the packet filter"})
		} else if err != nil {
			return nil, err
		}
	}
	if r.cut {
		problems = append(problems, &discovery.Degraded{What: fmt.Sprintf("more than %d tables, %d rules or %d elements of a set: the others are left out", maxTables, maxRules, maxElements)})
	}
	var facts []discovery.Fact
	for _, instance := range slices.Sorted(maps.Keys(r.tables)) {
		finish(r.tables[instance])
		fact, err := discovery.NewFact(kind.Kind, discovery.Clean(instance, discovery.MaxInstance), *r.tables[instance])
		if err != nil {
			return nil, err
		}
		facts = append(facts, fact)
	}
	return facts, errors.Join(problems...)
}

// loaded reports whether the kernel has nf_tables: to ask would load the module.
// A kernel without modules has it or answers that it has not.
func loaded(files *conffile.Reader) bool {
	return files.Stat("/sys/module/nf_tables") != nil || files.Stat("/proc/modules") == nil
}

func (c *Collector) read(r *ruleset) error {
	conn, err := c.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	r.conn = conn
	err = r.read()
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EPROTONOSUPPORT) {
		return nil // no nf_tables in this kernel
	}
	return err
}

// legacy adds the tables of the older iptables.
func legacy(files *conffile.Reader, tables map[string]*kind.Facts) {
	for family, file := range map[string]string{"ip": "/proc/net/ip_tables_names", "ip6": "/proc/net/ip6_tables_names"} {
		names, _ := files.File(file)
		for _, name := range strings.Fields(names) {
			tables["legacy "+family+" "+name] = &kind.Facts{Family: family, Name: discovery.Clean(name, maxName), Legacy: true, Chains: []kind.Chain{}}
		}
	}
}

// Watch waits for changes of nf_tables: NFNLGRP_NFTABLES (7).
func (c *Collector) Watch(ctx context.Context, changed func()) error {
	if !loaded(conffile.NewReader(c.root)) {
		<-ctx.Done()
		return nil
	}
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	defer conn.Close()
	if err := conn.JoinGroup(7); err != nil {
		return fmt.Errorf("listening to nf_tables: %w", err)
	}
	for {
		_, err := conn.Receive()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && !errors.Is(err, unix.ENOBUFS) {
			return fmt.Errorf("listening to nf_tables: %w", err)
		}
		changed()
	}
}
