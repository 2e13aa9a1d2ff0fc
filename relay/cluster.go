package relay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"assimilation/relay/internal/cluster"
	"assimilation/relay/internal/sessions"
	"assimilation/relay/internal/store"
	"assimilation/relay/internal/topology"
	"assimilation/relay/internal/udp"
	"assimilation/tenancy"
)

// ErrNoCluster: the relay does not serve yet, or no more.
var ErrNoCluster = errors.New("the relay does not serve")

// clustered are the sessions and the gate as the cluster needs them.
type clustered struct {
	*sessions.Table
	gate *udp.Gate
}

func (c clustered) TakeOver(ctx context.Context, hosts []store.Host) {
	c.Table.TakeOver(ctx, hosts, c.gate)
}

// addresses are where the site's other relays, its probes, and hosts that have no
// probe yet reach this one.
type addresses struct{ cluster, serves, install netip.AddrPort }

// told is an address as orders are asked for with; "" where this machine has none.
func told(p netip.AddrPort) string {
	if !p.IsValid() {
		return ""
	}
	return p.String()
}

// findAddresses is what the config says, or the first address of this machine.
func (c Config) findAddresses(serving netip.AddrPort) (addresses, error) {
	own := c.Advertise
	_, clusterPort, err := net.SplitHostPort(c.Cluster)
	if err != nil {
		return addresses{}, fmt.Errorf("reading the cluster's address: %w", err)
	}
	port, err := strconv.ParseUint(clusterPort, 10, 16)
	if err != nil {
		return addresses{}, fmt.Errorf("reading the cluster's port: %w", err)
	}
	var found addresses
	if !own.IsValid() {
		if listen, err := netip.ParseAddrPort(c.Cluster); err == nil && !listen.Addr().IsUnspecified() {
			own = listen.Addr()
		} else if own, err = firstAddress(); err != nil {
			return addresses{}, err
		}
	}
	found.cluster, found.serves = netip.AddrPortFrom(own, uint16(port)), netip.AddrPortFrom(own, serving.Port())
	if !c.Advertise.IsValid() && serving.Addr().IsValid() && !serving.Addr().IsUnspecified() {
		found.serves = serving // the only address that is served
	}
	found.install, err = c.installAddress(own)
	return found, err
}

// installAddress is where hosts reach the installer: zero where there is none.
func (c Config) installAddress(own netip.Addr) (netip.AddrPort, error) {
	if c.Install == "" {
		return netip.AddrPort{}, nil
	}
	if listen, err := netip.ParseAddrPort(c.Install); err == nil && !listen.Addr().IsUnspecified() {
		return listen, nil
	}
	_, port, err := net.SplitHostPort(c.Install)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("reading the installer's address: %w", err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("reading the installer's port: %w", err)
	}
	return netip.AddrPortFrom(own, uint16(number)), nil
}

// firstAddress is the first address by which others may reach this machine, of
// IPv4 if there is one.
func firstAddress() (netip.Addr, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return netip.Addr{}, fmt.Errorf("looking for an address of this machine: %w", err)
	}
	var found netip.Addr
	for _, a := range all {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil || !prefix.Addr().IsGlobalUnicast() {
			continue
		}
		if prefix.Addr().Is4() {
			return prefix.Addr(), nil
		}
		if !found.IsValid() {
			found = prefix.Addr()
		}
	}
	return found, nil
}

// newCluster makes the relay's part in the cluster.
func (r *Relay) newCluster(ctx context.Context, id store.Identity, at addresses, places *topology.Map) (*cluster.Cluster, error) {
	_, sequence := id.TrustedKeys()
	c, err := cluster.New(ctx, cluster.Config{
		Self: id.Enrolment.Relay, Key: id.Keys.Sign, Listen: r.config.Cluster, Address: at.cluster, Store: r.store,
		Domain: func(host tenancy.HostID) string { place, _ := places.Place(host); return place.Domain }, Log: r.log, Times: cluster.DefaultTimes,
	}, id.SiteSecret, sequence)
	if err != nil {
		return nil, fmt.Errorf("preparing to meet the site's other relays: %w", err)
	}
	r.metrics.Registry.MustRegister(c)
	return c, nil
}

// Cluster is for the status pages.
func (r *Relay) Cluster() (cluster.Report, error) {
	r.mu.Lock()
	c := r.parts.peers
	r.mu.Unlock()
	if c == nil {
		return cluster.Report{}, ErrNoCluster
	}
	ctx, cancel := context.WithTimeout(context.Background(), reportTime)
	defer cancel()
	return c.Report(ctx)
}
