package portable

import (
	"context"
	"os"

	kind "assimilation/discovery/users"
)

func localAccounts(context.Context) (facts kind.Facts, err error) {
	passwd, err := os.Open("/etc/passwd")
	if err != nil {
		return facts, err
	}
	defer passwd.Close()
	group, err := os.Open("/etc/group")
	if err != nil {
		return facts, err
	}
	defer group.Close()
	if facts.Users, err = readPasswd(passwd); err != nil {
		return facts, err
	}
	facts.Groups, err = readGroup(group)
	return facts, err
}
