package memory

import (
	"bytes"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// GiveBack returns to the host what the process holds and does not use: free heap,
// and the parts of its own program that ran once. The kernel keeps these in its page
// cache, where the next call finds them; they count for nobody until then.
func GiveBack() {
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return // it costs memory, nothing else
	}
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	for _, m := range untouched(text, program) {
		// MADV_DONTNEED of a file's private mapping that nobody wrote to: the next
		// access maps the same bytes (madvise(2)). An error leaves them mapped.
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, m.start, m.end-m.start, unix.MADV_DONTNEED)
	}
}

// mapping is a range of addresses.
type mapping struct{ start, end uintptr }

// untouched lists the mappings of a file that cannot be written and have no page
// that ever was (proc_pid_smaps(5)): the linker's relocations leave such in programs
// that are linked dynamically.
func untouched(smaps []byte, file string) (all []mapping) {
	var m mapping
	candidate := false
	for line := range bytes.Lines(smaps) {
		words := strings.Fields(string(line))
		switch {
		case len(words) == 3 && words[0] == "Anonymous:":
			if candidate && words[1] == "0" {
				all = append(all, m)
			}
			candidate = false
		case len(words) >= 6 && !strings.HasSuffix(words[0], ":"):
			from, to, _ := strings.Cut(words[0], "-")
			start, errStart := strconv.ParseUint(from, 16, strconv.IntSize)
			end, errEnd := strconv.ParseUint(to, 16, strconv.IntSize)
			m = mapping{uintptr(start), uintptr(end)}
			candidate = errStart == nil && errEnd == nil && start < end && (words[1] == "r-xp" || words[1] == "r--p") && strings.Join(words[5:], " ") == file
		}
	}
	return all
}
