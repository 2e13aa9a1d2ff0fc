package tenancytest

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"sync"
)

// Leak is a case in which something of another tenant got out, or in.
type Leak struct{ Sort, Case, What string }

func (l Leak) String() string { return l.Sort + ": " + l.Case + ": " + l.What }

// Report counts the cases that were tried and keeps what leaked.
type Report struct {
	// UntilLeak skips all cases after the first leak: who only wants to know
	// whether there is one.
	UntilLeak bool
	// Chosen says which cases are tried; nil: all.
	Chosen func(sort, name string) bool
	// Tried is told of each case that was; nil: nobody is.
	Tried func(sort, name string)

	mu    sync.Mutex
	cases map[string]int
	leaks []Leak
}

// Try runs a case. It says what leaked, or nothing.
func (r *Report) Try(sort, name string, attack func() (leak string)) {
	if r.Chosen != nil && !r.Chosen(sort, name) {
		return
	}
	r.mu.Lock()
	if r.UntilLeak && len(r.leaks) > 0 {
		r.mu.Unlock()
		return
	}
	if r.cases == nil {
		r.cases = map[string]int{}
	}
	r.cases[sort]++
	r.mu.Unlock()
	what := attack()
	if r.Tried != nil {
		r.Tried(sort, name)
	}
	if what != "" {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.leaks = append(r.leaks, Leak{sort, name, what})
	}
}

// Done reports whether no more cases need be generated.
func (r *Report) Done() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.UntilLeak && len(r.leaks) > 0
}

// Leaks are those so far.
func (r *Report) Leaks() []Leak {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.leaks)
}

// Cases is how many were tried.
func (r *Report) Cases() (total int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range r.cases {
		total += n
	}
	return total
}

// Summary is one line of it.
func (r *Report) Summary() string {
	return fmt.Sprintf("%6d  cases, %d leaks\n", r.Cases(), len(r.Leaks()))
}

// AddLine appends a line to a file that several programs leave theirs in; "" is none.
func AddLine(path, line string) error {
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line)
	return errors.Join(err, f.Close())
}

// Print writes the number of cases by sort, and of leaks.
func (r *Report) Print(w io.Writer) {
	total := r.Cases()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, sort := range slices.Sorted(maps.Keys(r.cases)) {
		fmt.Fprintf(w, "%6d  %s\n", r.cases[sort], sort)
	}
	fmt.Fprintf(w, "%6d  cases, %d leaks\n", total, len(r.leaks))
}
