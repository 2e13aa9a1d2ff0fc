package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"assimilation/discovery"
)

// Bounds of a sample.
const (
	maxItems = 2
	maxText  = 100 // bytes
)

// sample is a fact that a collector makes of a fixture.
type sample struct {
	instance string
	body     string // JSON, lists and texts cut
}

// readSample takes the largest fact among the golden ones of a kind.
func readSample(kind string) (sample, error) {
	files, err := filepath.Glob(filepath.Join("discovery", kind, "testdata", "*.golden.json"))
	if err != nil {
		return sample{}, err
	}
	var instance string
	var largest json.RawMessage
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return sample{}, fmt.Errorf("reading a fixture of kind %s: %w", kind, err)
		}
		facts := map[string]json.RawMessage{}
		if err := json.Unmarshal(text, &facts); err != nil {
			return sample{}, fmt.Errorf("reading %s: %w", file, err)
		}
		for _, name := range slices.Sorted(maps.Keys(facts)) {
			if len(facts[name]) > len(largest) {
				instance, largest = name, facts[name]
			}
		}
	}
	if largest == nil {
		return sample{}, fmt.Errorf("no fixture of kind %s gives a fact", kind)
	}
	decoder := json.NewDecoder(bytes.NewReader(largest))
	decoder.UseNumber()
	var body any
	if err := decoder.Decode(&body); err != nil {
		return sample{}, fmt.Errorf("reading a fixture of kind %s: %w", kind, err)
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err = encoder.Encode(cut(body))
	return sample{instance, out.String()}, err
}

func cut(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name := range v {
			v[name] = cut(v[name])
		}
	case []any:
		v = v[:min(len(v), maxItems)]
		for i := range v {
			v[i] = cut(v[i])
		}
		return v
	case string:
		if len(v) > maxText {
			return discovery.Clean(v, maxText) + "…"
		}
	}
	return v
}
