package truth

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"assimilation/discovery/certificates"
	"assimilation/discovery/checksums"
	"assimilation/discovery/disks"
	"assimilation/discovery/firewall"
)

// readDisks asks for what has a size; loops come and go with what they show.
func readDisks(r Reading) error {
	var table struct {
		Devices []struct {
			Name string `json:"kname"`
			Type string `json:"type"`
			Size int64  `json:"size"`
		} `json:"blockdevices"`
	}
	if err := outputJSON(&table, "lsblk", "-abJl", "-o", "KNAME,TYPE,SIZE"); err != nil {
		return err
	}
	for _, d := range table.Devices {
		if d.Size > 0 && !strings.HasPrefix(d.Name, "ram") && d.Type != "loop" {
			r.Must.add(Disks, diskRecord(d.Name, d.Type, d.Size))
		}
	}
	return nil
}

func diskRecord(name, kind string, bytes int64) string {
	return fmt.Sprintf("%s %s %d", name, kind, bytes)
}

func serviceDisks(assim, host string, r Records) error {
	facts, err := bodies[disks.Facts](assim, host, disks.Kind.Name)
	if err != nil {
		return err
	}
	for _, f := range facts {
		for _, d := range f.Devices {
			if d.Type != "loop" {
				r.add(Disks, diskRecord(d.Name, d.Type, d.Bytes))
			}
		}
	}
	return nil
}

// hashed are files of the fixed list of discovery/checksums that most hosts have;
// what runs is hashed beside.
var hashed = []string{"/etc/passwd", "/etc/group", "/etc/hosts", "/etc/nsswitch.conf", "/etc/profile", "/usr/bin/su", "/usr/bin/passwd", "/usr/bin/mount", "/usr/bin/bash"}

// readChecksums asks about the fixed list, and about every program and library that
// runs, of which the service knows those that listen. It comes after readProcesses.
func readChecksums(r Reading) error {
	files := Set{}
	for _, file := range hashed {
		files[file] = true
	}
	for _, records := range []Records{r.Must, r.May} {
		for record := range records[Running] {
			record, _, _ = strings.Cut(record, " waits for a restart: ")
			program, library, _ := strings.Cut(record, " runs ")
			files[program], files[library] = true, true
		}
	}
	var there []string
	for file := range files {
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
			there = append(there, file)
		}
	}
	// Builds remove what they ran; sha256sum says so and goes on.
	sums, _ := exec.Command("sha256sum", there...).Output()
	for line := range strings.Lines(string(sums)) {
		sum, file, _ := strings.Cut(strings.TrimRight(line, "\n"), "  ")
		if slices.Contains(hashed, file) {
			r.Must.add(Checksums, file+" "+sum)
		} else {
			r.May.add(Checksums, file+" "+sum)
		}
	}
	return nil
}

func serviceChecksums(assim, host string, r Records) error {
	facts, err := bodies[checksums.Facts](assim, host, checksums.Kind.Name)
	if err != nil {
		return err
	}
	for _, f := range facts {
		for _, file := range f.Files {
			if file.SHA256 != "" && (file.Role != "sensitive" || slices.Contains(hashed, file.Path)) {
				r.add(Checksums, file.Path+" "+file.SHA256)
			}
		}
	}
	return nil
}

// certified are the directories in which every certificate counts.
var certified = []string{"/etc/ssl/certs", "/etc/letsencrypt/live", "/etc/pki/tls/certs"}

// readCertificates asks about every certificate in files that are no links to the
// distribution's authorities, and counts those of bundles.
func readCertificates(r Reading) error {
	for _, dir := range certified {
		err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			link := entry.Type()&fs.ModeSymlink != 0 && dir == "/etc/ssl/certs"
			if err != nil || entry.IsDir() || link || !slices.Contains([]string{".pem", ".crt"}, filepath.Ext(path)) || strings.Contains(path, "privkey") {
				return err
			}
			return readCertificateFile(r, path)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func readCertificateFile(r Reading, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if n := strings.Count(string(text), "-----BEGIN CERTIFICATE-----"); n > 8 {
		r.Must.add(Certificates, "bundle "+path+" "+strconv.Itoa(n))
		return nil
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		command := exec.Command("openssl", "x509", "-inform", "der", "-noout", "-fingerprint", "-sha256", "-subject", "-issuer", "-serial", "-enddate",
			"-dateopt", "iso_8601", "-nameopt", "RFC2253,-esc_msb,utf8")
		command.Stdin = strings.NewReader(string(block.Bytes))
		out, err := command.Output()
		if err != nil {
			return fmt.Errorf("openssl x509 of %s: %w", path, err)
		}
		values := map[string]string{}
		for line := range strings.Lines(string(out)) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			values[strings.ToLower(name)] = value
		}
		sum := strings.ToLower(strings.ReplaceAll(values["sha256 fingerprint"], ":", ""))
		r.Must.add(Certificates, certificateRecord(sum, path, values["subject"], values["issuer"], values["serial"], strings.Replace(values["notafter"], " ", "T", 1)))
	}
	return nil
}

func certificateRecord(sum, path, subject, issuer, serial, until string) string {
	return strings.Join([]string{sum, path, subject, issuer, strings.TrimLeft(strings.ToLower(serial), "0"), until}, " | ")
}

func serviceCertificates(assim, host string, r Records) error {
	facts, err := bodies[certificates.Facts](assim, host, certificates.Kind.Name)
	if err != nil {
		return err
	}
	counts := func(path string) bool {
		return slices.ContainsFunc(certified, func(dir string) bool { return strings.HasPrefix(path, dir+"/") })
	}
	for _, f := range facts {
		for _, c := range f.Certificates {
			for _, path := range c.Paths {
				if counts(path) {
					r.add(Certificates, certificateRecord(c.SHA256, path, c.Subject, c.Issuer, c.Serial, c.NotAfter))
				}
			}
		}
		for _, b := range f.Bundles {
			if counts(b.Path) {
				r.add(Certificates, "bundle "+b.Path+" "+strconv.FormatInt(b.Certificates, 10))
			}
		}
	}
	return nil
}

// readFirewall asks for chains and how many rules each has; a host without a rule
// has at least the number of its tables.
func readFirewall(r Reading) error {
	var listing struct {
		Nftables []map[string]struct {
			Family, Table, Name, Chain, Type, Hook, Policy string
			Prio                                           int64
		}
	}
	out, err := r.ask(Firewall, "nft", "-j", "list", "ruleset")
	if err != nil || out == "" {
		return err
	}
	if err := decode(out, &listing, "nft"); err != nil {
		return err
	}
	tables, rules := 0, map[string]int{}
	for _, object := range listing.Nftables {
		if _, is := object["table"]; is {
			tables++
		}
		if rule, is := object["rule"]; is {
			rules[rule.Family+" "+rule.Table+" "+rule.Chain]++
		}
	}
	r.Must.add(Firewall, "tables "+strconv.Itoa(tables))
	for _, object := range listing.Nftables {
		if c, is := object["chain"]; is {
			r.Must.add(Firewall, chainRecord(c.Family, c.Table, c.Name, c.Type, c.Hook, c.Prio, c.Policy, rules[c.Family+" "+c.Table+" "+c.Name]))
		}
	}
	return nil
}

func chainRecord(family, table, name, kind, hook string, priority int64, policy string, rules int) string {
	return fmt.Sprintf("%s %s %s: %s %s %d %s, %d rules", family, table, name, kind, hook, priority, policy, rules)
}

func serviceFirewall(assim, host string, r Records) error {
	facts, err := bodies[firewall.Facts](assim, host, firewall.Kind.Name)
	if err != nil {
		return err
	}
	tables := 0
	for _, f := range facts {
		if f.Legacy {
			continue
		}
		tables++
		for _, c := range f.Chains {
			r.add(Firewall, chainRecord(f.Family, f.Name, c.Name, c.Type, c.Hook, c.Priority, c.Policy, len(c.Rules)))
		}
	}
	r.add(Firewall, "tables "+strconv.Itoa(tables))
	return nil
}
