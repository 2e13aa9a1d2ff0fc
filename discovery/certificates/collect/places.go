package collect

import (
	"path"
	"slices"
	"strings"

	"assimilation/discovery/internal/conffile"
)

// Limits of the search.
const (
	maxDepth   = 4
	maxEntries = 8192
	maxPath    = 512
)

// trusted is where the distribution keeps its authorities, each of them a link;
// what is no link there is the host's own.
const trusted = "/etc/ssl/certs"

// places are searched with what is below them. Not all of /etc: what a program
// has for its tests is of no interest.
var places = []string{
	"/etc/ssl", "/etc/pki/tls", "/etc/pki/nginx", "/etc/letsencrypt/live", "/etc/nginx", "/etc/apache2", "/etc/httpd", "/etc/haproxy", "/etc/caddy", "/etc/traefik",
	"/etc/postfix", "/etc/exim4", "/etc/dovecot", "/etc/postgresql", "/var/lib/postgresql", "/var/lib/pgsql", "/etc/mysql", "/etc/redis", "/etc/mongodb",
	"/etc/ldap", "/etc/openldap", "/etc/kubernetes/pki", "/etc/etcd", "/var/lib/kubelet/pki", "/etc/docker", "/etc/containerd/certs.d", "/etc/openvpn",
	"/etc/ipsec.d", "/etc/swanctl", "/etc/stunnel", "/etc/rabbitmq", "/etc/elasticsearch", "/etc/grafana", "/etc/prometheus", "/etc/consul.d", "/etc/vault.d",
	"/etc/nomad.d", "/etc/cockpit/ws-certs.d", "/etc/freeradius", "/etc/raddb", "/etc/puppetlabs/puppet/ssl/certs", "/etc/unbound", "/etc/bind", "/etc/named",
}

// paths returns the files that may hold certificates, sorted: by their names, and
// those that configuration in the same places speaks of.
func paths(r *conffile.Reader) []string {
	s := search{Reader: r}
	for _, place := range places {
		if info := r.Stat(place); info != nil && info.IsDir() {
			s.directory(place, 0)
		}
	}
	slices.Sort(s.found)
	return slices.Compact(s.found)
}

type search struct {
	*conffile.Reader
	found   []string
	entries int
}

func (s *search) directory(dir string, depth int) {
	for _, name := range s.Dir(dir) {
		file := dir + "/" + name
		if dir == trusted && s.Link(file) != "" || isSecret(file) {
			continue
		}
		if s.entries++; s.entries > maxEntries {
			s.Limit()
			return
		}
		switch strings.ToLower(path.Ext(name)) {
		case ".pem", ".crt", ".cer", ".cert", ".der", ".chain":
			s.found = append(s.found, file)
		case ".conf", ".cfg", ".cf", ".cnf":
			s.configuration(file)
		default:
			if info := s.Stat(file); info == nil {
				continue
			} else if info.IsDir() && depth < maxDepth {
				s.directory(file, depth+1)
			} else if strings.HasSuffix(dir, "-enabled") {
				s.configuration(file)
			}
		}
	}
}

// configuration takes the paths out of lines that speak of certificates, such as
// "ssl_certificate /srv/tls/www.crt;".
func (s *search) configuration(file string) {
	text, _ := s.File(file)
	for _, line := range conffile.Lines(text) {
		folded := strings.ToLower(line)
		if !strings.Contains(folded, "cert") && !strings.Contains(folded, "crt") {
			continue
		}
		for _, word := range strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t\"';,=<", r) }) {
			if word[0] == '/' && !isSecret(word) && s.Stat(word) != nil {
				s.found = append(s.found, path.Clean(word))
			}
		}
	}
}

// isSecret reports whether a file is a private key by its name, and is not to be
// opened.
func isSecret(file string) bool {
	dir, name := path.Split(strings.ToLower(file))
	if strings.Contains(dir, "/private/") || name == "private" || name == "keys" {
		return true
	}
	return strings.Contains(name, "key") && !strings.Contains(name, "cert") && !strings.Contains(name, ".crt")
}
