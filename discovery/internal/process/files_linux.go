package process

import (
	"io/fs"
	"path"
	"strings"
	"syscall"

	"assimilation/discovery/internal/hostfiles"
)

// Limits of what is read of a process.
const (
	maxMaps        = 1 << 20
	maxDescriptors = 4096
	maxClassPath   = 256 << 10
	maxJars        = 1024
)

// File is a file that a process runs.
type File struct {
	Path  string
	Stale bool // another one has its name by now, or none
}

// fileOf reads a path as the kernel writes it.
func fileOf(name string) File {
	name, stale := strings.CutSuffix(name, deleted)
	return File{name, stale}
}

// SameRoot reports whether a process sees the root directory of the host: one in
// a container has another, one that systemd hides directories from has not.
func SameRoot(root fs.FS, dir string) bool {
	host, err1 := fs.Stat(root, path.Join(path.Dir(dir), "1/root"))
	own, err2 := fs.Stat(root, dir+"/root")
	if err1 != nil || err2 != nil {
		return true
	}
	a, ok1 := host.Sys().(*syscall.Stat_t)
	b, ok2 := own.Sys().(*syscall.Stat_t)
	return !ok1 || !ok2 || a.Dev == b.Dev && a.Ino == b.Ino
}

// Mapped returns the files that a process has mapped for execution, the executable
// among them, each as often as it is mapped.
func Mapped(root fs.FS, dir string) ([]File, error) {
	maps, err := Text(root, dir+"/maps", maxMaps)
	if err != nil {
		return nil, err
	}
	return mapped(maps), nil
}

// nowhere are the beginnings of paths of what is no file of a package: memory, and
// what programs unpack for one run, under another name each time.
var nowhere = []string{"/memfd:", "/dev/", "/SYSV", "/[", "/tmp/", "/var/tmp/"}

// mapped reads proc_pid_maps(5):
// "55d0c000-55d0e000 r-xp 00000000 08:01 1234   /usr/lib/libc.so.6".
func mapped(maps string) (files []File) {
lines:
	for line := range strings.Lines(maps) {
		at := strings.IndexByte(line, '/')
		if at < 0 {
			continue
		}
		fields := strings.Fields(line[:at])
		if len(fields) != 5 || len(fields[1]) < 3 || fields[1][2] != 'x' || fields[4] == "0" {
			continue
		}
		for _, place := range nowhere {
			if strings.HasPrefix(line[at:], place) {
				continue lines
			}
		}
		files = append(files, fileOf(strings.TrimSuffix(line[at:], "\n")))
	}
	return files
}

// Jars returns the jars of a Java: those that it has open, and those on its class
// path.
func Jars(root fs.FS, dir string) []File {
	var files []File
	descriptors, _, _ := hostfiles.Names(root, dir+"/fd", maxDescriptors)
	for _, name := range descriptors {
		if link, err := fs.ReadLink(root, dir+"/fd/"+name); err == nil {
			if file := fileOf(link); strings.HasSuffix(file.Path, ".jar") {
				files = append(files, file)
			}
		}
	}
	line, err := Text(root, dir+"/cmdline", maxClassPath)
	home, err2 := fs.ReadLink(root, dir+"/cwd")
	if err != nil || err2 != nil {
		return files
	}
	for _, entry := range classPath(strings.Split(line, "\x00")) {
		if len(files) >= maxJars {
			break
		}
		if !path.IsAbs(entry) {
			entry = home + "/" + entry
		}
		entry = path.Clean(entry)
		names := []string{entry}
		if path.Base(entry) == "*" {
			names = jarsIn(root, path.Dir(entry))
		}
		for _, name := range names {
			// What is not there the Java did without.
			if info, err := fs.Stat(root, strings.TrimPrefix(name, "/")); err == nil && info.Mode().IsRegular() && strings.HasSuffix(name, ".jar") {
				files = append(files, File{Path: name})
			}
		}
	}
	return files
}

// classPath takes the entries out of the arguments of java(1). After its main class
// or its jar the arguments are the program's own.
func classPath(argv []string) (entries []string) {
	for i := 1; i < len(argv); i++ {
		arg := argv[i]
		value := ""
		if i+1 < len(argv) {
			value = argv[i+1]
		}
		switch {
		case arg == "-jar":
			return append(entries, value)
		case arg == "-cp", arg == "-classpath", arg == "--class-path":
			entries = strings.Split(value, ":") // the last one counts
			i++
		case strings.HasPrefix(arg, "--class-path="):
			entries = strings.Split(strings.TrimPrefix(arg, "--class-path="), ":")
		case arg == "-p" || arg == "--module-path" || arg == "--add-modules":
			i++
		case !strings.HasPrefix(arg, "-") && arg != "":
			return entries
		}
	}
	return entries
}

// jarsIn lists the jars in a directory, as "directory/*" on a class path means.
func jarsIn(root fs.FS, dir string) (names []string) {
	found, _, _ := hostfiles.Names(root, strings.TrimPrefix(dir, "/"), maxJars)
	for _, name := range found {
		names = append(names, dir+"/"+name)
	}
	return names
}
