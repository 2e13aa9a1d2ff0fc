package collect

import (
	"bytes"
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"

	"assimilation/discovery"
	"assimilation/discovery/internal/order"
	kind "assimilation/discovery/users"
)

// Limits of the account files. One with 10,000 accounts has some 700 kB.
const (
	maxFile    = 8 << 20
	maxEntries = 20_000
	maxMembers = 10_000
	maxValue   = 256
)

// inShadow in the password field of passwd(5) means that shadow(5) has it.
const inShadow = "x"

// fields calls each for every line of that many fields, without those of NIS
// ("+", "-") and comments.
func fields(content []byte, count int, each func([]string)) (cut bool) {
	n := 0
	for line := range bytes.Lines(content) {
		parts := strings.Split(string(bytes.TrimRight(line, "\r\n")), ":")
		if len(parts) < count || parts[0] == "" || strings.ContainsRune("+-#", rune(parts[0][0])) {
			continue
		}
		if n++; n > maxEntries {
			return true
		}
		each(parts)
	}
	return false
}

// parsePasswd reads passwd(5): name, password, uid, gid, gecos, home, shell.
// The password of an account that has none in shadow is judged at once.
func parsePasswd(content []byte) (users []kind.User, cut bool) {
	cut = fields(content, 7, func(f []string) {
		uid, uidErr := strconv.ParseUint(f[2], 10, 32)
		gid, gidErr := strconv.ParseUint(f[3], 10, 32)
		if uidErr != nil || gidErr != nil {
			return
		}
		u := kind.User{
			Name: clean(f[0]), UID: int64(uid), GID: int64(gid), Gecos: strings.TrimRight(clean(f[4]), ", "),
			Home: clean(f[5]), Shell: clean(f[6]), Login: letsIn(f[6]),
		}
		if f[1] != inShadow {
			u.Password = judge(f[1])
		}
		users = append(users, u)
	})
	order.By(users, func(a, b *kind.User) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.UID, b.UID)) })
	users = slices.CompactFunc(users, func(a, b kind.User) bool { return a.Name == b.Name && a.UID == b.UID })
	return users, cut
}

// parseGroup reads group(5): name, password, gid, members.
func parseGroup(content []byte) (groups []kind.Group, cut bool) {
	cut = fields(content, 4, func(f []string) {
		gid, err := strconv.ParseUint(f[2], 10, 32)
		if err != nil {
			return
		}
		g := kind.Group{Name: clean(f[0]), GID: int64(gid)}
		for member := range strings.SplitSeq(f[3], ",") {
			if member = clean(member); member != "" && len(g.Members) < maxMembers {
				g.Members = append(g.Members, member)
			}
		}
		slices.Sort(g.Members)
		g.Members = slices.Compact(g.Members)
		groups = append(groups, g)
	})
	order.By(groups, func(a, b *kind.Group) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.GID, b.GID)) })
	groups = slices.CompactFunc(groups, func(a, b kind.Group) bool { return a.Name == b.Name && a.GID == b.GID })
	return groups, cut
}

// judgeShadow reads the first two fields of shadow(5) and sets the passwords of
// those accounts that passwd(5) sends there; one that is missing there has none.
func judgeShadow(content []byte, users []kind.User) {
	states := map[string]kind.Password{}
	for line := range bytes.Lines(content) {
		name, rest, ok := bytes.Cut(line, []byte{':'})
		password, _, whole := bytes.Cut(rest, []byte{':'})
		if _, known := states[string(name)]; ok && whole && !known {
			states[clean(string(name))] = judgeBytes(password)
		}
	}
	for i := range users {
		if users[i].Password != "" {
			continue
		}
		users[i].Password = cmp.Or(states[users[i].Name], kind.PasswordLocked)
	}
}

func judge(password string) kind.Password { return judgeBytes([]byte(password)) }

// judgeBytes says what a password field means: a hash (crypt(5)) is letters,
// digits and "./$", and whatever is none cannot be matched by any password.
func judgeBytes(password []byte) kind.Password {
	if len(password) == 0 {
		return kind.PasswordEmpty
	}
	if len(password) < 13 || bytes.IndexByte([]byte("!*"), password[0]) >= 0 { // the shortest hash is that of DES
		return kind.PasswordLocked
	}
	return kind.PasswordSet
}

// letsIn reports whether a login shell is more than a refusal. It does not ask
// shells(5), which sshd does not ask either.
func letsIn(shell string) bool {
	switch path.Base(shell) {
	case "nologin", "false", "true", "sync", "halt", "shutdown", "null":
		return false
	}
	return true
}

func clean(s string) string { return discovery.Clean(s, maxValue) }
