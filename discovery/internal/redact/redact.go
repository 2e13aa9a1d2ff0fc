// Package redact takes secrets out of command lines.
//
// What is a secret cannot be known, so it errs on the side of silence: from
// the place where a secret may begin, the rest of that argument is replaced by
// Mark. It knows
//
//   - names that speak of a secret (password, token, key...), as --name=value,
//     --name value, NAME=value, "Name: value", also within one argument (the
//     string of sh -c, a connection string, JSON);
//   - -p value unless it looks like a port, and the short options of programs
//     that take a password by them (mysql -pX, redis-cli -a X);
//   - user:password after -u or --user;
//   - user/password of Oracle's programs, user:password@ before a server;
//   - the user information of URLs, and the secret ends of well-known webhooks;
//   - values that are tokens by their look (JWT, "ghp_...", ours).
package redact

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Mark stands where a secret was.
const Mark = "***"

// Args returns argv with its secrets replaced. It has the same length.
func Args(argv []string) []string {
	out := make([]string, len(argv))
	var s scanner
	for i, arg := range argv {
		out[i] = s.arg(arg)
	}
	return out
}

// Names reports whether a name speaks of a secret, so that its value is one.
func Names(name string) bool { return namesSecret(name) }

// scanner goes through the words of a command line in order.
type scanner struct {
	flags string // short options by which a program named so far takes a password
	last  string // the previous word
	slash bool   // a program was named that takes user/password
	// What the previous word says of the next.
	next expectation
}

type expectation int

const (
	anything expectation = iota
	secret
	userAndSecret // a secret if it has a colon (curl -u) or a percent sign (smbclient -U)
	portOrSecret  // -p
)

// arg redacts one argument, word by word. What follows a secret in it may
// belong to the secret: it is left out, but still read for what it says of the
// next argument.
func (s *scanner) arg(arg string) string {
	var out strings.Builder
	cut := false
	for rest := arg; rest != ""; {
		start := strings.IndexFunc(rest, func(r rune) bool { return !unicode.IsSpace(r) })
		if start < 0 {
			start = len(rest)
		}
		end := strings.IndexFunc(rest[start:], unicode.IsSpace)
		if end < 0 {
			end = len(rest) - start
		}
		end += start
		space, word := rest[:start], rest[start:end]
		rest = rest[end:]
		secretHere := false
		if word != "" {
			expected := s.next
			s.next = anything
			word, secretHere = s.word(word, expected)
		}
		if !cut {
			out.WriteString(space)
			out.WriteString(word)
		}
		cut = cut || secretHere
	}
	return out.String()
}

// word redacts one word; cut says that a secret began in it.
func (s *scanner) word(w string, expected expectation) (redacted string, cut bool) {
	last := s.last
	s.last = w
	if flags, known := passwordOptions[program(w)]; known {
		s.flags += flags
	}
	s.slash = s.slash || slashPrograms[program(w)]
	redacted, cut = s.look(w, last)
	switch {
	case expected == secret, expected == portOrSecret && !isPort(w), looksLikeToken(w):
		return Mark, true
	case expected == userAndSecret:
		if i := strings.IndexAny(w, ":%,"); i >= 0 {
			return w[:i+1] + Mark, true
		}
	}
	return redacted, cut
}

// look reads a word for itself.
func (s *scanner) look(w, last string) (redacted string, cut bool) {
	bare := strings.Trim(w, `"'`)
	switch {
	case len(w) > 1 && w[0] == '-':
		if redacted, cut = s.option(w); cut {
			return redacted, cut
		}
	case bareNames[strings.ToLower(bare)]:
		s.next = secret
	case bare == "=" || bare == ":" || bare == "=>": // name = value
		if assignment(last+"=") >= 0 {
			s.next = secret
		}
		return w, false
	}
	if at := assignment(w); at >= 0 {
		if strings.Trim(w[at:], `"'`) == "" {
			s.next = secret
			return w, false
		}
		return w[:at] + Mark, true
	}
	if i := strings.IndexByte(w, '/'); s.slash && i > 0 && w[0] != '-' && w[0] != '@' {
		return w[:i+1] + Mark, true
	}
	if at := credentials(w); at >= 0 {
		return w[:at] + Mark, true
	}
	for _, hook := range webhooks {
		if i := strings.Index(w, hook); i >= 0 {
			return w[:i+len(hook)] + Mark, true
		}
	}
	return userInfo(w)
}

// credentials returns where the secret of user:secret@server begins, or -1.
// Before a digest, as in image:tag@sha256:..., stands none.
func credentials(w string) int {
	at := strings.LastIndexByte(w, '@')
	if at < 0 || strings.Contains(w, "://") || strings.HasPrefix(w[at:], "@sha256:") {
		return -1
	}
	colon := strings.IndexByte(w[:at], ':')
	if colon < 0 || colon+1 == at {
		return -1
	}
	user := w[strings.LastIndexAny(w[:colon], `=,;("'`)+1 : colon]
	if user == "" || strings.ContainsAny(user, "@/") {
		return -1
	}
	return colon + 1
}

// option looks at a word that starts with a dash.
func (s *scanner) option(w string) (redacted string, cut bool) {
	letter := w[1:2]
	short := w[1] != '-'
	switch {
	case short && strings.Contains(s.flags, letter):
		if len(w) > 2 {
			return w[:2] + Mark, true
		}
		s.next = secret
	case w == "-p":
		s.next = portOrSecret
	case w == "-u" || w == "-U" || w == "--user" || w == "--proxy-user":
		s.next = userAndSecret
	case strings.HasPrefix(w, "-u") || strings.HasPrefix(w, "-U") ||
		strings.HasPrefix(w, "--user=") || strings.HasPrefix(w, "--proxy-user="):
		if i := strings.IndexAny(w, ":%"); i >= 0 {
			return w[:i+1] + Mark, true
		}
	case !strings.ContainsAny(w, "=:") && namesSecret(strings.TrimLeft(w, "-")):
		s.next = secret
	}
	return w, false
}

// maxName bounds what is looked at before a "=", so that a line made up of
// these costs no more than others.
const maxName = 128

// assignment returns where the value of the first secret-like name begins, in
// name=value, name:value and the like, or -1.
func assignment(w string) int {
	for i := 0; i < len(w); i++ {
		if w[i] != '=' && w[i] != ':' {
			continue
		}
		name := strings.TrimRight(w[max(0, i-maxName):i], `"'\`)
		start := strings.LastIndexFunc(name, func(r rune) bool {
			return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_-.", r)
		})
		if start >= 0 {
			name = name[start:]
			name = strings.TrimLeftFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		}
		if namesSecret(name) {
			return i + 1
		}
	}
	return -1
}

// secretParts speak of a secret wherever they stand in a name, secretWords
// only as a whole word of it.
var (
	secretParts = []string{"pass", "pwd", "secret", "token", "credential", "authoriz", "bearer", "bindpw"}
	secretWords = []string{
		"key", "keys", "auth", "pw", "pin", "psk", "otp", "jwt", "sas", "cookie",
		"cred", "creds", "private", "signature", "sig", "salt", "seed", "community",
	}
	bareNames = map[string]bool{
		"password": true, "passwd": true, "passphrase": true, "token": true, "secret": true,
		"requirepass": true, "masterauth": true, "bearer": true, "apikey": true,
	}
)

func namesSecret(name string) bool {
	lower := strings.ToLower(name)
	for _, part := range secretParts {
		if strings.Contains(lower, part) {
			return true
		}
	}
	for _, word := range nameWords(name) {
		if slices.Contains(secretWords, word) || strings.HasSuffix(word, "key") {
			return true
		}
	}
	return false
}

// nameWords splits a name at punctuation and where camelCase begins a word.
func nameWords(name string) []string {
	var words []string
	var word strings.Builder
	previous := ' '
	for _, r := range name {
		letter := unicode.IsLetter(r) || unicode.IsDigit(r)
		if word.Len() > 0 && (!letter || unicode.IsUpper(r) && unicode.IsLower(previous)) {
			words = append(words, word.String())
			word.Reset()
		}
		if letter {
			word.WriteRune(unicode.ToLower(r))
		}
		previous = r
	}
	if word.Len() > 0 {
		words = append(words, word.String())
	}
	return words
}

// passwordOptions are the short options by which well-known programs take a
// secret.
var passwordOptions = map[string]string{
	"mysql": "p", "mysqldump": "p", "mysqladmin": "p", "mysqlshow": "p", "mysqlimport": "p", "mysqlcheck": "p",
	"mysqlbinlog": "p", "mysqlslap": "p", "mysqlpump": "p", "xtrabackup": "p",
	"mariadb": "p", "mariadb-dump": "p", "mariadb-admin": "p", "mariadb-check": "p", "mariadb-import": "p",
	"mariadb-show": "p", "mariadb-binlog": "p", "mariadb-backup": "p", "mariabackup": "p",
	"mongo": "p", "mongosh": "p", "mongodump": "p", "mongorestore": "p", "mongoexport": "p", "mongoimport": "p",
	"cqlsh": "p", "sshpass": "p", "rdesktop": "p", "login": "p", "7z": "p", "7za": "p", "7zz": "p", "rar": "p", "unrar": "p",
	"redis-cli": "a", "keydb-cli": "a", "valkey-cli": "a",
	"ldapsearch": "w", "ldapadd": "w", "ldapmodify": "w", "ldapdelete": "w", "ldappasswd": "wsa", "ldapwhoami": "w",
	"sqlcmd": "P", "osql": "P", "p4": "P", "ab": "AC", "curl": "b", "bcp": "P", "isql": "P", "tsql": "P", "zip": "P", "unzip": "P",
	"mosquitto_pub": "P", "mosquitto_sub": "P", "mosquitto_rr": "P", "ipmitool": "P",
	"snmpget": "cAX", "snmpwalk": "cAX", "snmpbulkwalk": "cAX", "snmptrap": "cAX", "snmpset": "cAX",
	"htpasswd": "b", "lftp": "u", "openconnect": "p", "vncviewer": "p",
}

// slashPrograms take user/password as an argument.
var slashPrograms = map[string]bool{
	"sqlplus": true, "sqlldr": true, "exp": true, "imp": true, "expdp": true, "impdp": true, "rman": true,
}

// webhooks are followed by what whoever knows it may post with.
var webhooks = []string{"hooks.slack.com/services/", "api.telegram.org/bot", "/api/webhooks/", ".webhook.office.com/webhookb2/"}

func program(w string) string { return path.Base(strings.Trim(w, `"'`)) }

func isPort(w string) bool {
	n, err := strconv.ParseUint(w, 10, 16)
	return err == nil && n > 0
}

// userInfo replaces what stands before the @ of a URL. A password may hold an
// unescaped slash: then the "port" before the slash is no number.
func userInfo(w string) (redacted string, cut bool) {
	from := 0
	for {
		i := strings.Index(w[from:], "://")
		if i < 0 {
			return w, false
		}
		from += i + len("://")
		authority := w[from:]
		if end := strings.IndexAny(authority, "/?#"); end >= 0 {
			authority = authority[:end]
		}
		at := strings.LastIndexByte(authority, '@')
		if _, port, found := strings.Cut(authority, ":"); at < 0 && found && !isPort(port) && !strings.HasPrefix(authority, "[") {
			at = strings.LastIndexByte(w[from:], '@')
		}
		if at >= 0 {
			w = w[:from] + Mark + w[from+at:]
			from += len(Mark)
		}
	}
}

// tokenPrefixes begin the tokens of well-known services, and our own.
var tokenPrefixes = []string{
	"asm_", "ghp_", "gho_", "ghs_", "github_pat_", "glpat-", "xoxb-", "xoxp-", "sk-", "sk_live_", "rk_live_",
	"AKIA", "ASIA", "hvs.", "npm_", "pypi-", "dop_v1_", "-----BEGIN",
}

// looksLikeToken needs some length beside the prefix.
func looksLikeToken(w string) bool {
	w = strings.Trim(w, `"'`)
	if strings.HasPrefix(w, "eyJ") && strings.Count(w, ".") >= 2 {
		return true
	}
	return len(w) >= 16 && slices.ContainsFunc(tokenPrefixes, func(p string) bool { return strings.HasPrefix(w, p) }) ||
		strings.HasPrefix(w, "-----BEGIN")
}
