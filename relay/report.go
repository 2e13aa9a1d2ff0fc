package relay

import (
	"context"
	"encoding/hex"
	"slices"
	"time"

	"assimilation/relay/internal/enrol"
	"assimilation/relay/internal/status"
	service "assimilation/relay/internal/uplink"
	"assimilation/uplink"
	"assimilation/wire"
)

// reportTime bounds the questions that a report asks of the store.
const reportTime = 10 * time.Second

// Report is for the status pages.
func (r *Relay) Report() (status.Report, error) {
	ctx, cancel := context.WithTimeout(context.Background(), reportTime)
	defer cancel()
	r.mu.Lock()
	report := status.Report{
		Version: r.config.Version, Phase: r.phase, Problem: r.problem, Started: r.started.UTC(), Address: r.address,
	}
	runner, table, hands := r.parts.runner, r.parts.table, r.parts.hands
	r.mu.Unlock()

	id, _, err := r.store.Identity(ctx)
	if err != nil {
		return status.Report{}, err
	}
	if id.Enrolled {
		e := id.Enrolment
		report.Relay, report.Site, report.SiteName, report.Service = &e.Relay, &e.Site, e.SiteName, e.URL
		report.OrdersDone = id.Orders
		if id.OrdersAt > 0 {
			report.OrdersAt = time.UnixMilli(id.OrdersAt).UTC()
		}
		if certificate, err := wire.ParseCertificate(e.Certificate); err == nil {
			report.Certified = time.Unix(certificate.NotAfter, 0).UTC()
		}
	}
	stats, err := r.store.Stats(ctx)
	if err != nil {
		return status.Report{}, err
	}
	head := r.store.Head()
	report.Hosts, report.Facts, report.Tokens, report.Versions = stats.Hosts, stats.Facts, stats.Tokens, stats.Agents
	report.Outbox = status.Outbox{
		Epoch: head.Epoch, Last: head.Last, Acked: head.Acked, Backlog: head.Backlog(), Bytes: r.store.BacklogBytes(), Resyncing: head.Resyncing,
	}
	if hands != nil {
		install := hands.Report()
		report.Install = &install
	}
	if table != nil {
		report.Sessions = table.Sessions()
	}
	if runner != nil {
		health := runner.Health()
		report.Batches, report.Orders = exchange(health.Batches), exchange(health.Orders)
	}
	return report, nil
}

func exchange(e service.Exchange) status.Exchange {
	return status.Exchange{LastOK: e.LastOK.UTC(), Error: e.Error, Since: e.Since.UTC()}
}

// Probes is for the status pages.
func (r *Relay) Probes() ([]status.Probe, error) {
	ctx, cancel := context.WithTimeout(context.Background(), reportTime)
	defer cancel()
	hosts, err := r.store.OwnHosts(ctx)
	if err != nil {
		return nil, err
	}
	probes := make([]status.Probe, len(hosts))
	for i, h := range hosts {
		probes[i] = status.Probe{
			Host: h.ID, Name: h.Name, State: h.State, StateAt: time.UnixMilli(h.StateAt).UTC(), Agent: h.AgentVersion, OS: h.OS, Arch: h.Arch,
			Address: h.Address, Token: h.Token, Enrolled: time.UnixMilli(h.EnrolledAt).UTC(), Facts: h.Version,
		}
	}
	return probes, nil
}

// Pending is for the status pages.
func (r *Relay) Pending() ([]status.Pending, error) {
	waiting, err := r.waiting()
	if err != nil {
		return nil, err
	}
	var pending []status.Pending
	for _, w := range waiting {
		p := status.Pending{Fingerprint: hex.EncodeToString(w.Fingerprint[:]), Address: w.Address.String(), First: w.First.UTC(), Last: w.Last.UTC()}
		if w.Reason != wire.Accepted {
			p.Reason = w.Reason.String()
		}
		pending = append(pending, p)
	}
	return pending, nil
}

// pending is for the service: those heard last.
func (r *Relay) pending() []uplink.Pending {
	waiting, err := r.waiting()
	if err != nil {
		r.log.Error("listing probes that wait to be enrolled", "error", err)
		return nil
	}
	slices.SortStableFunc(waiting, func(a, b enrol.Waiting) int { return b.Last.Compare(a.Last) })
	var pending []uplink.Pending
	for _, w := range waiting[:min(len(waiting), uplink.MaxPending)] {
		pending = append(pending, uplink.Pending{
			Fingerprint: w.Fingerprint[:], Address: w.Address.String(), Reason: w.Reason, First: w.First.UnixMilli(), Last: max(w.Last.UnixMilli(), w.First.UnixMilli()),
		})
	}
	return pending
}

// waiting are the probes that announce themselves and are no hosts of this site.
func (r *Relay) waiting() ([]enrol.Waiting, error) {
	r.mu.Lock()
	desk := r.parts.desk
	r.mu.Unlock()
	if desk == nil {
		return nil, nil // not serving yet
	}
	waiting := desk.Waiting(time.Now())
	if len(waiting) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), reportTime)
	defer cancel()
	hosts, err := r.store.Hosts(ctx)
	if err != nil {
		return nil, err
	}
	enrolled := make(map[[32]byte]bool, len(hosts))
	for _, h := range hosts {
		enrolled[wire.Fingerprint(h.ProbeKey)] = true
	}
	return slices.DeleteFunc(waiting, func(w enrol.Waiting) bool { return enrolled[w.Fingerprint] }), nil
}
