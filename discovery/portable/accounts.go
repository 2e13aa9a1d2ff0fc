package portable

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"assimilation/discovery"
	kind "assimilation/discovery/users"
)

// accounts returns the collector of the kind "users", which is told them.
func accounts(list func(context.Context) (kind.Facts, error)) discovery.Collector {
	return single(slowly(kind.Kind, 15*time.Minute), func(ctx context.Context) (kind.Facts, error) {
		facts, err := list(ctx)
		if err != nil {
			return facts, fmt.Errorf("listing accounts: %w", err)
		}
		slices.SortFunc(facts.Users, func(a, b kind.User) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.UID, b.UID)) })
		slices.SortFunc(facts.Groups, func(a, b kind.Group) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.GID, b.GID)) })
		if facts.Users == nil {
			facts.Users = []kind.User{}
		}
		if facts.Groups == nil {
			facts.Groups = []kind.Group{}
		}
		return facts, nil
	})
}

// mayLogIn tells a shell that lets somebody in.
func mayLogIn(shell string) bool {
	return !strings.HasSuffix(shell, "/nologin") && !strings.HasSuffix(shell, "/false")
}

// readPasswd reads passwd(5).
func readPasswd(from io.Reader) (users []kind.User, err error) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		f := strings.Split(lines.Text(), ":")
		if len(f) != 7 || f[0] == "" || f[0][0] == '#' || f[0][0] == '+' {
			continue
		}
		uid, uidErr := strconv.ParseInt(f[2], 10, 64)
		gid, gidErr := strconv.ParseInt(f[3], 10, 64)
		if uidErr != nil || gidErr != nil {
			continue
		}
		users = append(users, kind.User{Name: clean(f[0]), UID: uid, GID: gid, Gecos: clean(f[4]), Home: clean(f[5]), Shell: clean(f[6]), Login: mayLogIn(f[6])})
	}
	return users, lines.Err()
}

// readGroup reads group(5).
func readGroup(from io.Reader) (groups []kind.Group, err error) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, maxPlist)
	for lines.Scan() {
		f := strings.Split(lines.Text(), ":")
		if len(f) != 4 || f[0] == "" || f[0][0] == '#' || f[0][0] == '+' {
			continue
		}
		gid, err := strconv.ParseInt(f[2], 10, 64)
		if err != nil {
			continue
		}
		g := kind.Group{Name: clean(f[0]), GID: gid}
		for member := range strings.SplitSeq(f[3], ",") {
			if member = clean(strings.TrimSpace(member)); member != "" {
				g.Members = append(g.Members, member)
			}
		}
		slices.Sort(g.Members)
		groups = append(groups, g)
	}
	return groups, lines.Err()
}

// readRecords reads what dscl(1) prints of "-readall": attributes one per line, or
// with their value on lines that begin with a space; a dash between records.
func readRecords(from io.Reader) (records []map[string]string, err error) {
	record := map[string]string{}
	name := ""
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, maxPlist)
	for lines.Scan() {
		line := lines.Text()
		switch before, value, found := strings.Cut(line, ":"); {
		case line == "-":
			records, record, name = append(records, record), map[string]string{}, ""
		case strings.HasPrefix(line, " "):
			record[name] = strings.TrimSpace(record[name] + " " + strings.TrimSpace(line))
		case found:
			name = before
			record[name] = strings.TrimSpace(value)
		}
	}
	if len(record) > 0 {
		records = append(records, record)
	}
	return records, lines.Err()
}

func usersOf(records []map[string]string) (users []kind.User) {
	for _, r := range records {
		uid, uidErr := strconv.ParseInt(r["UniqueID"], 10, 64)
		gid, gidErr := strconv.ParseInt(r["PrimaryGroupID"], 10, 64)
		name, _, _ := strings.Cut(r["RecordName"], " ") // others are aliases
		if uidErr != nil || gidErr != nil || name == "" {
			continue
		}
		shell := r["UserShell"]
		users = append(users, kind.User{
			Name: clean(name), UID: uid, GID: gid, Gecos: clean(r["RealName"]), Home: clean(r["NFSHomeDirectory"]), Shell: clean(shell), Login: shell != "" && mayLogIn(shell),
		})
	}
	return users
}

func groupsOf(records []map[string]string) (groups []kind.Group) {
	for _, r := range records {
		gid, err := strconv.ParseInt(r["PrimaryGroupID"], 10, 64)
		name, _, _ := strings.Cut(r["RecordName"], " ")
		if err != nil || name == "" {
			continue
		}
		g := kind.Group{Name: clean(name), GID: gid}
		for _, member := range strings.Fields(r["GroupMembership"]) {
			g.Members = append(g.Members, clean(member))
		}
		slices.Sort(g.Members)
		groups = append(groups, g)
	}
	return groups
}
