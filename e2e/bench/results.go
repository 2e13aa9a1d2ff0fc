package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// result is one benchmark: its metrics by unit.
type result struct {
	name    string
	metrics map[string]float64
}

type results []result

// read adds the lines of go test's output that hold results.
func (r *results) read(output string) error {
	found := false
	for line := range strings.Lines(output) {
		fields := strings.Fields(line)
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name := strings.TrimPrefix(fields[0], "Benchmark")
		if dash := strings.LastIndexByte(name, '-'); dash > 0 {
			name = name[:dash] // the number of processors
		}
		b := result{name, map[string]float64{}}
		for i := 2; i+1 < len(fields); i += 2 {
			value, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			b.metrics[fields[i+1]] = value
		}
		*r = append(*r, b)
		found = true
	}
	if !found {
		return errors.New("no result")
	}
	return nil
}

// of is one metric of a benchmark.
func (r results) of(name, unit string) (float64, error) {
	for _, b := range r {
		if b.name == name {
			if value, ok := b.metrics[unit]; ok {
				return value, nil
			}
		}
	}
	return 0, fmt.Errorf("benchmark %s did not say %s", name, unit)
}
