// Package fileattrs is the kind "fileattrs": who may do what with the files and
// directories on which a host's safety rests.
package fileattrs

import (
	"time"

	"assimilation/discovery"
)

// Kind is the kind "fileattrs": one instance, from statx(2) and getxattr(2) of a
// fixed list of paths, and of those that other kinds name.
var Kind = discovery.Kind{
	Name: "fileattrs", Version: 1,
	After:    []string{"auditd"},
	Needs:    []discovery.Capability{discovery.DACReadSearch},
	Interval: 15 * time.Minute, Timeout: 10 * time.Second,
	Body: Facts{},
	Doc:  "owner, mode, ACL and label of sensitive files",
}

// Paths are looked at. What is not there is no fact. Links are followed: on most
// systems /bin is one.
var Paths = []string{
	"/", "/bin", "/boot", "/boot/grub/grub.cfg", "/boot/grub2/grub.cfg", "/dev/shm", "/etc", "/etc/anacrontab", "/etc/at.allow", "/etc/at.deny",
	"/etc/audit", "/etc/audit/auditd.conf", "/etc/cron.allow", "/etc/cron.d", "/etc/cron.daily", "/etc/cron.deny", "/etc/cron.hourly",
	"/etc/cron.monthly", "/etc/cron.weekly", "/etc/crontab", "/etc/exports", "/etc/fstab", "/etc/group", "/etc/group-", "/etc/gshadow",
	"/etc/gshadow-", "/etc/hosts", "/etc/hosts.allow", "/etc/hosts.deny", "/etc/issue", "/etc/issue.net", "/etc/kubernetes/admin.conf",
	"/etc/ld.so.conf", "/etc/ld.so.preload", "/etc/login.defs", "/etc/motd", "/etc/nsswitch.conf", "/etc/pam.d", "/etc/passwd", "/etc/passwd-",
	"/etc/profile", "/etc/rsyslog.conf", "/etc/security", "/etc/security/opasswd", "/etc/shadow", "/etc/shadow-", "/etc/shells", "/etc/ssh",
	"/etc/ssh/ssh_host_ecdsa_key", "/etc/ssh/ssh_host_ed25519_key", "/etc/ssh/ssh_host_rsa_key", "/etc/ssh/sshd_config", "/etc/ssl/private",
	"/etc/sudoers", "/etc/sudoers.d", "/etc/sysctl.conf", "/etc/systemd/system", "/home", "/lib", "/root", "/root/.ssh",
	"/root/.ssh/authorized_keys", "/run/docker.sock", "/sbin", "/tmp", "/usr/bin", "/usr/bin/at", "/usr/bin/chage", "/usr/bin/chfn",
	"/usr/bin/chsh", "/usr/bin/crontab", "/usr/bin/gpasswd", "/usr/bin/mount", "/usr/bin/newgrp", "/usr/bin/passwd", "/usr/bin/pkexec",
	"/usr/bin/su", "/usr/bin/sudo", "/usr/bin/umount", "/usr/lib", "/usr/sbin", "/var/log", "/var/log/audit", "/var/log/btmp",
	"/var/log/lastlog", "/var/log/wtmp", "/var/spool/cron", "/var/spool/cron/crontabs", "/var/tmp",
}

// Named says where facts of other kinds name paths that are looked at too, each with
// its directory. The kinds stand in Kind.After.
var Named = []struct {
	Kind    string
	Setting string // of its "settings"
	Default string // where a fact does not say
}{
	{"auditd", "log_file", "/var/log/audit/audit.log"},
}

// Facts is the body.
type Facts struct {
	Files []File `json:"files" key:"path"` // sorted by path
}

// File is one file or directory.
type File struct {
	Path  string   `json:"path" class:"internal"`
	Type  string   `json:"type" class:"internal"` // "file", "directory", "socket", "other"
	UID   int64    `json:"uid" class:"internal"`
	GID   int64    `json:"gid" class:"internal"`
	Mode  string   `json:"mode" class:"internal"`            // "4755"
	ACL   []string `json:"acl,omitempty" class:"internal"`   // "user:1000:rw-", "default:other::r-x"; absent where it says no more than the mode
	Label string   `json:"label,omitempty" class:"internal"` // of SELinux
	// Capabilities that the file gives to who runs it, as the attribute has them, in
	// hexadecimal.
	Capabilities string   `json:"capabilities,omitempty" class:"internal"`
	Flags        []string `json:"flags,omitempty" class:"internal"` // "append-only", "immutable"
}
