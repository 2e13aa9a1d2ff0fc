package collect

import (
	"errors"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"assimilation/discovery"
)

// Limits of what is read. /proc/cpuinfo has some 1.5 kB for each processor, of
// which the first is enough.
const (
	maxFile   = 16 << 10
	maxValue  = 256
	maxListed = 1 << 16
)

// reader reads small files of the kernel, and notes what it could not read.
type reader struct {
	root     fs.FS
	problems []error
}

// text is the beginning of a file; "" where it is missing or says nothing (some
// of sysfs answer with an error where the hardware has no answer).
func (r *reader) text(name string) (string, error) {
	file, err := r.root.Open(name)
	if err != nil {
		return "", err
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, maxFile))
	return string(b), err
}

// line is a file's one line.
func (r *reader) line(name string) string {
	text, err := r.text(name)
	if err != nil {
		return ""
	}
	return clean(text)
}

// secret is the line of a file that only root may read.
func (r *reader) secret(name, what string) string {
	text, err := r.text(name)
	if errors.Is(err, fs.ErrPermission) {
		r.problem(&discovery.Degraded{Needs: discovery.DACReadSearch, What: what})
	}
	if err != nil {
		return ""
	}
	return clean(text)
}

func (r *reader) problem(p *discovery.Degraded) {
	if !slices.ContainsFunc(r.problems, func(known error) bool { return known.Error() == p.Error() }) {
		r.problems = append(r.problems, p)
	}
}

// number is a file's one number, 0 where there is none.
func (r *reader) number(name string) int64 {
	n, err := strconv.ParseInt(r.line(name), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

func (r *reader) exists(name string) bool {
	_, err := fs.Stat(r.root, name)
	return err == nil
}

// clean makes a value of a line. Texts of a device tree end with a NUL.
func clean(text string) string {
	return strings.TrimSpace(discovery.Clean(strings.Trim(text, "\x00\r\n\t "), maxValue))
}

// list reads a list as the kernel prints it: "0-3,8,10-11".
func list(text string) []int {
	var all []int
	for part := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err := strconv.Atoi(first)
		if err != nil {
			continue
		}
		to, err := strconv.Atoi(last)
		if err != nil || from < 0 || to >= maxListed {
			continue
		}
		for n := from; n <= to && len(all) < maxListed; n++ {
			all = append(all, n)
		}
	}
	return all
}

func listLength(text string) int64 { return int64(len(list(text))) }
