package portable

import (
	"bytes"
	"context"
	"os/exec"

	kind "assimilation/discovery/users"
)

// localAccounts asks the local node of the directory service: /etc/passwd has the system's
// own accounts only.
func localAccounts(ctx context.Context) (facts kind.Facts, err error) {
	people, err := directory(ctx, "/Users", "RecordName", "UniqueID", "PrimaryGroupID", "RealName", "NFSHomeDirectory", "UserShell")
	if err != nil {
		return facts, err
	}
	groups, err := directory(ctx, "/Groups", "RecordName", "PrimaryGroupID", "GroupMembership")
	return kind.Facts{Users: usersOf(people), Groups: groupsOf(groups)}, err
}

func directory(ctx context.Context, path string, attributes ...string) ([]map[string]string, error) {
	out, err := exec.CommandContext(ctx, "/usr/bin/dscl", append([]string{".", "-readall", path}, attributes...)...).Output()
	if err != nil {
		return nil, err
	}
	return readRecords(bytes.NewReader(out))
}
