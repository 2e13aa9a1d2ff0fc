package portable

import (
	"context"
	"fmt"
	"os/user"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"

	kind "assimilation/discovery/users"
)

const (
	level10      = 10      // of NetUserEnum: USER_INFO_10 (lmaccess.h)
	normalPeople = 0x2     // FILTER_NORMAL_ACCOUNT
	wantedBytes  = 1 << 20 // of one answer
)

// localAccounts asks for the machine's own accounts. Their number is the last part of the
// security identifier; groups are another question.
func localAccounts(context.Context) (facts kind.Facts, err error) {
	var resume uint32
	for {
		var buffer *byte
		var read, total uint32
		err := windows.NetUserEnum(nil, level10, normalPeople, &buffer, wantedBytes, &read, &total, &resume)
		more := err == windows.ERROR_MORE_DATA
		if err != nil && !more {
			return facts, fmt.Errorf("asking for the local accounts: %w", err)
		}
		for _, u := range unsafe.Slice((*windows.UserInfo10)(unsafe.Pointer(buffer)), read) {
			facts.Users = append(facts.Users, account(windows.UTF16PtrToString(u.Name), windows.UTF16PtrToString(u.FullName)))
		}
		if err := windows.NetApiBufferFree(buffer); err != nil {
			return facts, fmt.Errorf("giving back the list of accounts: %w", err)
		}
		if !more {
			return facts, nil
		}
	}
}

func account(name, fullName string) kind.User {
	made := kind.User{Name: clean(name), UID: -1, GID: -1, Gecos: clean(fullName), Login: true}
	known, err := user.Lookup(name)
	if err != nil {
		return made
	}
	made.Home = clean(known.HomeDir)
	if number, err := strconv.ParseInt(known.Uid[strings.LastIndexByte(known.Uid, '-')+1:], 10, 64); err == nil {
		made.UID = number
	}
	return made
}
