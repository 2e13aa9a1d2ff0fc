package collect

import (
	"encoding/binary"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// names of capabilities(7) in the order of their bits (linux/capability.h).
const names = "chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service net_broadcast " +
	"net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin sys_boot sys_nice sys_resource " +
	"sys_time sys_tty_config mknod lease audit_write audit_control setfcap mac_override mac_admin syslog wake_alarm block_suspend " +
	"audit_read perfmon bpf checkpoint_restore"

// capabilities reads the attribute security.capability: struct vfs_cap_data of
// linux/capability.h, in little-endian order, of version 1 (32 bits), 2 (64) or 3
// (and a user namespace's root). It writes what getcap(8) does.
func capabilities(attribute []byte) (out []string) {
	if len(attribute) < 12 {
		return nil
	}
	version := attribute[3]
	effective := attribute[0]&1 != 0
	word := func(i int) uint64 { return uint64(binary.LittleEndian.Uint32(attribute[4+4*i:])) }
	permitted, inheritable := word(0), word(1)
	switch {
	case version == 1:
	case (version == 2 || version == 3) && len(attribute) >= 20:
		permitted |= word(2) << 32
		inheritable |= word(3) << 32
	default:
		return nil
	}
	all := strings.Fields(names)
	byFlags := map[string][]string{}
	for bit := range 64 {
		p, i := permitted>>bit&1 != 0, inheritable>>bit&1 != 0
		if !p && !i {
			continue
		}
		flags := ""
		if effective {
			flags += "e"
		}
		if i {
			flags += "i"
		}
		if p {
			flags += "p"
		}
		name := strconv.Itoa(bit)
		if bit < len(all) {
			name = "cap_" + all[bit]
		}
		byFlags[flags] = append(byFlags[flags], name)
	}
	for flags, list := range byFlags {
		slices.Sort(list)
		out = append(out, strings.Join(list, ",")+"="+flags)
	}
	slices.Sort(out)
	return out
}

// owner is whose rights a file may give.
type owner struct{ uid, gid uint32 }

func owners(info fs.FileInfo) (owner, bool) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return owner{}, false
	}
	return owner{s.Uid, s.Gid}, true
}
