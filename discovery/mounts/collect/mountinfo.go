package collect

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"assimilation/discovery"
	kind "assimilation/discovery/mounts"
)

// Limits of a mount table. A host with many containers has thousands of lines,
// nearly all of which are left out.
const (
	maxTable       = 16 << 20
	maxFilesystems = 512
	maxValue       = 1024
	maxOptions     = 64
)

// mount is one line of a mount table.
type mount struct {
	root, target, kind, source string
	options                    []string // of the mount, then of the filesystem
}

// parseTable reads /proc/PID/mountinfo (proc_pid_mountinfo(5)). Lines that make
// no sense are passed over.
func parseTable(r io.Reader) ([]mount, error) {
	var mounts []mount
	lines := bufio.NewScanner(io.LimitReader(r, maxTable))
	lines.Buffer(make([]byte, 4<<10), 1<<20)
	for lines.Scan() {
		// id, parent, device, root, target, options, optional fields..., "-", type, source, options
		left, right, found := bytes.Cut(lines.Bytes(), []byte(" - "))
		before, after := bytes.Fields(left), bytes.Fields(right)
		if !found || len(before) < 6 || len(after) < 2 {
			continue
		}
		m := mount{
			root: unescape(before[3]), target: unescape(before[4]),
			kind: string(after[0]), source: unescape(after[1]),
			options: strings.Split(string(before[5]), ","),
		}
		if len(after) > 2 {
			m.options = append(m.options, strings.Split(unescape(after[2]), ",")...)
		}
		mounts = append(mounts, m)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading the mount table: %w", err)
	}
	return mounts, nil
}

// unescape undoes the kernel's way with blanks: a backslash and three octal
// digits.
func unescape(b []byte) string {
	if bytes.IndexByte(b, '\\') < 0 {
		return string(b)
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' && i+3 < len(b) && isOctal(b[i+1], '3') && isOctal(b[i+2], '7') && isOctal(b[i+3], '7') {
			out = append(out, (b[i+1]-'0')<<6|(b[i+2]-'0')<<3|(b[i+3]-'0'))
			i += 3
			continue
		}
		out = append(out, b[i])
	}
	return string(out)
}

func isOctal(c, most byte) bool { return c >= '0' && c <= most }

// sortOf is what a type of filesystem means for a fact.
type sortOf int

const (
	pseudo sortOf = iota // no fact
	local
	unsized // local, but its size varies or is made up
	remote
)

func sortOfType(kind, source string) sortOf {
	switch kind {
	case "ext2", "ext3", "ext4", "xfs", "btrfs", "vfat", "exfat", "msdos", "ntfs3", "f2fs", "jfs", "reiserfs", "bcachefs", "nilfs2",
		"hfs", "hfsplus", "ufs", "iso9660", "udf", "squashfs", "erofs", "gfs2", "ocfs2":
		return local
	case "zfs", "fuseblk", "tmpfs", "overlay", "aufs": // of zfs it is what is free in the pool
		return unsized
	case "nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "9p", "virtiofs", "afs", "lustre", "beegfs", "gpfs", "glusterfs", "orangefs", "fuse":
		return remote
	case "fuse.lxcfs", "fuse.portal", "fuse.gvfsd-fuse", "fuse.snapfuse", "fuse.fuse-overlayfs":
		return pseudo
	}
	if strings.HasPrefix(kind, "fuse.") {
		return remote
	}
	if strings.HasPrefix(source, "/dev/") {
		return unsized
	}
	return pseudo
}

// passing are the places where containers, sessions and packages of programs
// mount as they come and go.
var passing = []string{
	"/proc", "/sys", "/dev", "/run", "/var/run", "/snap", "/var/snap", "/var/lib/snapd", "/var/lib/docker", "/var/lib/containers",
	"/var/lib/containerd", "/var/lib/kubelet/pods", "/var/lib/kubelet/plugins", "/var/lib/lxcfs", "/var/lib/lxd", "/var/lib/flatpak",
}

// temporary are the places whose filesystem in memory matters: anybody may write
// there, so its options decide what may be done.
var temporary = []string{"/tmp", "/var/tmp", "/dev/shm"}

// isFact reports whether a mount is one that people mean by a filesystem.
func (m mount) isFact() bool {
	switch sort := sortOfType(m.kind, m.source); {
	case sort == pseudo:
		return false
	case slices.Contains(temporary, m.target):
		return true
	case m.kind == "tmpfs":
		return false
	case m.kind == "overlay" || m.kind == "aufs":
		return m.target == "/" // the layers of a container that is the host
	}
	return !slices.ContainsFunc(passing, func(place string) bool { return within(m.target, place) })
}

// within reports whether a path is the place or lies under it.
func within(path, place string) bool {
	rest, ok := strings.CutPrefix(path, place)
	return ok && (rest == "" || rest[0] == '/' || place == "/")
}

// chosen are the options that say what an administrator decided, by the part
// before "=".
var chosen = []string{
	"ro", "nosuid", "nodev", "noexec", "noatime", "nodiratime", "relatime", "strictatime", "nosymfollow", "sync", "dirsync",
	"lazytime", "idmapped", "discard", "errors", "data", "barrier", "nobarrier", "quota", "usrquota", "grpquota", "prjquota",
	"noquota", "subvol", "compress", "compress-force", "degraded", "vers", "sec", "proto", "hard", "soft", "nolock", "seal",
	"allow_other", "mode",
}

// fact makes the fact of a mount, without its size.
func (m mount) fact() kind.Filesystem {
	options := make([]string, 0, 8)
	for _, o := range m.options {
		name, _, _ := strings.Cut(o, "=")
		if slices.Contains(chosen, name) && len(options) < maxOptions {
			options = append(options, discovery.Clean(o, maxValue))
		}
	}
	slices.Sort(options)
	options = slices.Compact(options) // "ro" may be of the mount and of the filesystem
	f := kind.Filesystem{
		Target: discovery.Clean(m.target, maxValue), Source: discovery.Clean(withoutUser(m.source), maxValue),
		Type: discovery.Clean(m.kind, 64), Options: options, Remote: sortOfType(m.kind, m.source) == remote,
	}
	if m.root != "/" {
		f.Root = discovery.Clean(m.root, maxValue)
	}
	return f
}

// withoutUser drops user and password from "user:password@server:/path" and
// "https://user:password@server/path".
func withoutUser(source string) string {
	scheme, rest, isURL := strings.Cut(source, "://")
	if !isURL {
		scheme, rest = "", source
	}
	host, path, hasPath := strings.Cut(rest, "/")
	at := strings.LastIndexByte(host, '@')
	if at < 0 {
		return source
	}
	clean := host[at+1:]
	if hasPath {
		clean += "/" + path
	}
	if isURL {
		return scheme + "://" + clean
	}
	return clean
}
