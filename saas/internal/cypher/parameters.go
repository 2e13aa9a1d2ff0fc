package cypher

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Bounds of the parameters of one question, together.
const (
	maxParameters = 256 << 10 // bytes of JSON
	maxItems      = 10_000    // values, those within lists and maps among them
	maxNesting    = 16
)

// readParameters turns a JSON object into values: a number without point and
// exponent is an int64, any other a float64.
func readParameters(text []byte) (map[string]any, error) {
	if len(bytes.TrimSpace(text)) == 0 || string(bytes.TrimSpace(text)) == "null" {
		return map[string]any{}, nil
	}
	if len(text) > maxParameters {
		return nil, fmt.Errorf("the parameters have more than %d bytes", maxParameters)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var raw any
	if err := decoder.Decode(&raw); err != nil {
		return nil, errors.New("the parameters are no JSON object")
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("something follows the parameters")
	}
	object, ok := raw.(map[string]any)
	if !ok {
		return nil, errors.New("the parameters are no JSON object")
	}
	count := 0
	values := make(map[string]any, len(object))
	for name, v := range object {
		value, err := plain(v, &count, 1)
		if err != nil {
			return nil, fmt.Errorf("parameter %.60q: %w", name, err)
		}
		values[name] = value
	}
	return values, nil
}

func plain(v any, count *int, depth int) (any, error) {
	if *count++; *count > maxItems {
		return nil, fmt.Errorf("there are more than %d values", maxItems)
	}
	if depth > maxNesting {
		return nil, fmt.Errorf("the value is nested more than %d levels deep", maxNesting)
	}
	switch v := v.(type) {
	case json.Number:
		return number(v)
	case string:
		return v, storable(v)
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			var err error
			if list[i], err = plain(item, count, depth+1); err != nil {
				return nil, err
			}
		}
		return list, nil
	case map[string]any:
		m := make(map[string]any, len(v))
		for name, item := range v {
			if err := storable(name); err != nil {
				return nil, err
			}
			var err error
			if m[name], err = plain(item, count, depth+1); err != nil {
				return nil, err
			}
		}
		return m, nil
	}
	return v, nil // null or a bool
}

func number(n json.Number) (any, error) {
	if !strings.ContainsAny(n.String(), ".eE") {
		i, err := n.Int64()
		if err != nil {
			return nil, errors.New("a whole number is outside 64 bits")
		}
		return i, nil
	}
	f, err := n.Float64()
	if err != nil {
		return nil, errors.New("a number is outside 64 bits")
	}
	return f, nil
}

// storable refuses what Postgres cannot hold in a text.
func storable(s string) error {
	if strings.ContainsRune(s, 0) || !utf8.ValidString(s) {
		return errors.New("a string holds the character NUL, or is not valid UTF-8")
	}
	return nil
}
