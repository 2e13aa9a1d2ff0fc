package relay

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"assimilation/relay/internal/status"
	"assimilation/relay/internal/store"
	"assimilation/relay/internal/udp"
	service "assimilation/relay/internal/uplink"
)

// Finding is one thing that the doctor looked at.
type Finding struct {
	What   string `json:"what"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Advice string `json:"advice,omitempty"`
}

// soon is how long before its end a certificate is worth a word: orders renew
// it much earlier.
const soon = 7 * 24 * time.Hour

// Diagnose checks what a relay needs: through the running one if it answers,
// else in its stead.
func Diagnose(ctx context.Context, c Config, log *slog.Logger) []Finding {
	var report status.Report
	if err := status.Ask(ctx, c.HTTP, "/status", &report); err == nil {
		return append([]Finding{{"program", true, "running since " + report.Started.Local().Format(time.DateTime), ""}},
			append(examine(report), multicast())...)
	}
	findings := []Finding{{"program", false, "no relay answers on " + c.HTTP, "start it: systemctl start assim-relay, or assim-relay run"}}
	findings = append(findings, checkState(ctx, c.State, log)...)
	return append(findings, checkPort(c.Listen, log), multicast())
}

// examine reads the report of a running relay.
func examine(r status.Report) []Finding {
	findings := []Finding{{"serving", r.Phase == status.Serving, strings.TrimSuffix(string(r.Phase)+": "+r.Problem, ": "), ""}}
	if r.Relay == nil {
		return findings
	}
	left := time.Until(r.Certified)
	findings = append(findings, Finding{"certificate", left > soon, "valid until " + r.Certified.Local().Format(time.DateTime),
		advice(left <= soon, "the service renews it by orders: see why those fail")})
	for _, e := range []struct {
		name string
		status.Exchange
	}{{"records to the service", r.Batches}, {"orders from the service", r.Orders}} {
		detail := "last at " + e.LastOK.Local().Format(time.DateTime)
		if e.LastOK.IsZero() {
			detail = "none yet"
		}
		if e.Error != "" {
			detail = e.Error
		}
		findings = append(findings, Finding{e.name, e.Error == "", detail,
			advice(e.Error != "", "check DNS, the firewall, HTTPS_PROXY and SSL_CERT_FILE for "+r.Service)})
	}
	return findings
}

func checkState(ctx context.Context, dir string, log *slog.Logger) []Finding {
	if !store.Exists(dir) { // opening would make one: a doctor changes nothing
		return []Finding{{"enrolment", false, "there is no store in " + dir, ErrNoToken.Error()}}
	}
	s, err := store.Open(ctx, dir, store.Options{Log: log})
	if err != nil {
		return []Finding{{"store", false, err.Error(), "check the rights and the free space of " + dir}}
	}
	defer s.Close() // only read from
	id, _, err := s.Identity(ctx)
	findings := []Finding{{"store", err == nil, "in " + dir, ""}}
	switch {
	case err != nil:
		findings[0].Detail = err.Error()
	case !id.Enrolled:
		findings = append(findings, Finding{"enrolment", false, "not enrolled", ErrNoToken.Error()})
	case id.Revoked:
		findings = append(findings, Finding{"enrolment", false, "revoked", service.ErrRevoked.Error()})
	default:
		err := service.CheckCertificates(id, time.Now())
		findings = append(findings,
			Finding{"enrolment", true, "relay " + id.Enrolment.Relay.String() + " of site " + id.Enrolment.SiteName, ""},
			Finding{"certificate", err == nil, errorOr(err, "valid"), advice(err != nil, "check this machine's clock; the service renews certificates by orders")},
			reach(ctx, id))
	}
	return findings
}

// reach fetches what enrolment fetched first: it needs no secret.
func reach(ctx context.Context, id store.Identity) Finding {
	client, err := service.NewClient(id.Enrolment.URL)
	if err == nil {
		defer client.Close()
		err = client.Reach(ctx, id.Enrolment.TenantKey)
	}
	return Finding{"service", err == nil, errorOr(err, id.Enrolment.URL+" answers"),
		advice(err != nil, "check DNS, the firewall, HTTPS_PROXY and SSL_CERT_FILE for "+id.Enrolment.URL)}
}

func checkPort(address string, log *slog.Logger) Finding {
	socket, err := udp.Listen(address, log, func(string) {})
	if err == nil {
		err = socket.Close()
	}
	return Finding{"UDP port", err == nil, errorOr(err, address+" is free"), advice(err != nil, "see who has it: ss -ulpn")}
}

// multicast only informs: without it, probes find the relay by ASSIM_RELAY or
// the address in their token.
func multicast() Finding {
	var names []string
	interfaces, err := net.Interfaces()
	if err != nil {
		return Finding{"multicast", false, err.Error(), ""}
	}
	for _, i := range interfaces {
		if i.Flags&net.FlagUp != 0 && i.Flags&net.FlagMulticast != 0 {
			names = append(names, i.Name)
		}
	}
	if names == nil {
		return Finding{"multicast", true, "no interface", "give probes the relay's address: ASSIM_RELAY"}
	}
	return Finding{"multicast", true, fmt.Sprint("on ", strings.Join(names, ", ")), ""}
}

func advice(needed bool, text string) string {
	if needed {
		return text
	}
	return ""
}

func errorOr(err error, text string) string {
	if err != nil {
		return err.Error()
	}
	return text
}
