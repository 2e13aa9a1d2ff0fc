package collect

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"

	"assimilation/discovery/internal/order"
	kind "assimilation/discovery/sshd"
)

// defaults are the values that hold where nothing is configured, as sshd_config(5)
// of OpenSSH 8.2 to 10.0 has them. Not listed are those that are decided when the
// server is built (paths, lists of algorithms) and those that changed in between.
const defaults = `addressfamily any
allowagentforwarding yes
allowstreamlocalforwarding yes
allowtcpforwarding yes
authenticationmethods any
authorizedkeyscommand none
authorizedkeyscommanduser none
authorizedkeysfile .ssh/authorized_keys .ssh/authorized_keys2
authorizedprincipalscommand none
authorizedprincipalscommanduser none
authorizedprincipalsfile none
banner none
chrootdirectory none
clientalivecountmax 3
clientaliveinterval 0
compression yes
disableforwarding no
exposeauthinfo no
fingerprinthash SHA256
forcecommand none
gatewayports no
gssapiauthentication no
gssapicleanupcredentials yes
gssapistrictacceptorcheck yes
hostbasedauthentication no
hostbasedusesnamefrompacketonly no
hostkeyagent none
ignorerhosts yes
ignoreuserknownhosts no
kbdinteractiveauthentication yes
logingracetime 120
loglevel INFO
maxauthtries 6
maxsessions 10
maxstartups 10:30:100
passwordauthentication yes
permitemptypasswords no
permitlisten any
permitopen any
permitrootlogin prohibit-password
permittty yes
permittunnel no
permituserenvironment no
permituserrc yes
port 22
printlastlog yes
printmotd yes
pubkeyauthentication yes
rekeylimit 0 0
revokedkeys none
streamlocalbindmask 0177
streamlocalbindunlink no
strictmodes yes
syslogfacility AUTH
tcpkeepalive yes
trustedusercakeys none
usedns no
usepam no
versionaddendum none
x11displayoffset 10
x11forwarding no
x11uselocalhost yes`

// defaultKeys are the host keys that are used where none is configured, as far as
// they are there.
var defaultKeys = []string{"/etc/ssh/ssh_host_rsa_key", "/etc/ssh/ssh_host_ecdsa_key", "/etc/ssh/ssh_host_ed25519_key"}

// effective is what holds for connections that no Match speaks of.
func (p *parser) effective(b *builtIn) []kind.Setting {
	all := p.global.explicit(b)
	for line := range strings.SplitSeq(defaults, "\n") {
		name, value, _ := strings.Cut(line, " ")
		all = fallback(all, name, []string{value})
	}
	for name, list := range b.lists() {
		all = fallback(all, name, []string{*list})
	}
	var keys []string
	for _, key := range defaultKeys {
		if p.reader.Stat(key) != nil {
			keys = append(keys, key)
		}
	}
	all = fallback(all, "hostkey", keys)
	wildcards := []string{"::", "0.0.0.0"}
	switch find(all, "addressfamily").Values[0] {
	case "inet":
		wildcards = wildcards[1:]
	case "inet6":
		wildcards = wildcards[:1]
	}
	all = fallback(all, "listenaddress", wildcards)
	listen := find(all, "listenaddress")
	listen.Values = withPorts(listen.Values, find(all, "port").Values)
	order.By(all, func(a, b *kind.Setting) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// find returns a setting, nil if it is not there.
func find(all []kind.Setting, name string) *kind.Setting {
	for i := range all {
		if all[i].Name == name {
			return &all[i]
		}
	}
	return nil
}

// fallback adds a default, if there is one and nothing else was said.
func fallback(all []kind.Setting, name string, values []string) []kind.Setting {
	if find(all, name) != nil || len(values) == 0 || values[0] == "" {
		return all
	}
	return append(all, kind.Setting{Name: name, Values: values})
}

// withPorts makes addresses "ip:port": those without a port get every port.
func withPorts(addresses, ports []string) (all []string) {
	for _, a := range addresses {
		host, own, ok := strings.Cut(a, "]:")
		switch bare := strings.Trim(a, "[]"); {
		case ok:
			all = append(all, host+"]:"+own)
		case strings.Count(a, ":") == 1:
			all = append(all, a)
		default:
			if strings.Contains(bare, ":") {
				bare = "[" + bare + "]"
			}
			for _, port := range ports {
				all = append(all, bare+":"+port)
			}
		}
	}
	return all
}

// lists are the keywords that choose from built-in lists.
func (b *builtIn) lists() map[string]*string {
	return map[string]*string{
		"ciphers": &b.ciphers, "macs": &b.macs, "kexalgorithms": &b.kex, "casignaturealgorithms": &b.cas,
		"hostkeyalgorithms": &b.keys, "pubkeyacceptedalgorithms": &b.keys, "hostbasedacceptedalgorithms": &b.keys,
	}
}

// explicit is what the block itself says, sorted by name.
func (bl *block) explicit(b *builtIn) []kind.Setting {
	lists := b.lists()
	all := make([]kind.Setting, 0, len(bl.directives))
	for _, d := range bl.directives {
		s := kind.Setting{Name: d.name, Source: d.source}
		if strings.HasSuffix(d.name, "users") || strings.HasSuffix(d.name, "groups") {
			s.Names = d.values
		} else {
			s.Values = d.values
			for i, v := range s.Values {
				s.Values[i] = normal(d.name, v)
			}
			if list := lists[d.name]; list != nil {
				s.Values[0] = choose(s.Values[0], *list)
			}
		}
		all = append(all, s)
	}
	order.By(all, func(a, b *kind.Setting) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// plainWords are values that may be written in any case.
var plainWords = []string{"yes", "no", "none", "any", "all", "local", "remote", "delayed", "clientspecified", "inet", "inet6",
	"prohibit-password", "without-password", "forced-commands-only", "point-to-point", "ethernet", "internal"}

// normal brings a value into the form of sshd -T.
func normal(name, value string) string {
	if lower := strings.ToLower(value); slices.Contains(plainWords, lower) {
		value = lower
	}
	switch name {
	case "loglevel", "syslogfacility", "fingerprinthash":
		return strings.ToUpper(value)
	case "logingracetime", "clientaliveinterval":
		if seconds, ok := seconds(value); ok {
			return strconv.FormatInt(seconds, 10)
		}
	case "compression":
		if value == "delayed" {
			return "yes"
		}
	case "permitrootlogin":
		if value == "without-password" {
			return "prohibit-password"
		}
	case "maxstartups":
		if !strings.Contains(value, ":") {
			return value + ":30:" + value
		}
	case "ipqos":
		if value != "" && !strings.Contains(value, " ") {
			return value + " " + value
		}
	case "streamlocalbindmask":
		if mask, err := strconv.ParseUint(value, 8, 32); err == nil {
			return "0" + strconv.FormatUint(mask, 8)
		}
	case "rekeylimit":
		return rekeyLimit(value)
	}
	return value
}

// seconds reads a time of sshd_config(5): "90", "2m", "1h30m".
func seconds(s string) (total int64, ok bool) {
	for s != "" {
		end := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
		if end < 0 {
			end = len(s)
		}
		n, err := strconv.ParseInt(s[:end], 10, 32)
		if err != nil {
			return 0, false
		}
		s = s[end:]
		if s != "" {
			unit := strings.IndexByte("smhdw", s[0]|0x20)
			if unit < 0 {
				return 0, false
			}
			n *= []int64{1, 60, 3600, 86400, 604800}[unit]
			s = s[1:]
		}
		total += n
	}
	return total, true
}

// rekeyLimit gives bytes and seconds, 0 for what is left to the cipher or to none.
func rekeyLimit(value string) string {
	size, age, _ := strings.Cut(value, " ")
	bytes := int64(0)
	if size == "" {
		return value
	}
	if !strings.EqualFold(size, "default") && !strings.EqualFold(size, "none") {
		shift := strings.IndexByte("kmg", size[len(size)-1]|0x20) + 1
		n, err := strconv.ParseInt(strings.TrimRight(size, "kKmMgG"), 10, 32)
		if err != nil {
			return value
		}
		bytes = n << (10 * shift)
	}
	limit, ok := seconds(age)
	if !ok {
		limit = 0
	}
	return strconv.FormatInt(bytes, 10) + " " + strconv.FormatInt(limit, 10)
}

// choose applies "+more", "-less" and "^first" to a built-in list; where that is
// not known the wish stands as it is.
func choose(wish, builtIn string) string {
	if wish == "" || builtIn == "" || strings.IndexByte("+-^", wish[0]) < 0 {
		return wish
	}
	have, named := strings.Split(builtIn, ","), strings.Split(wish[1:], ",")
	isNamed := func(a string) bool {
		return slices.ContainsFunc(named, func(p string) bool { ok, _ := path.Match(p, a); return ok })
	}
	switch wish[0] {
	case '+':
		for _, a := range named {
			if !slices.Contains(have, a) {
				have = append(have, a)
			}
		}
	case '-':
		have = slices.DeleteFunc(have, isNamed)
	case '^':
		have = append(slices.Clone(named), slices.DeleteFunc(have, isNamed)...)
	}
	return strings.Join(have, ",")
}
