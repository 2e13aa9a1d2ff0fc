package graph

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"assimilation/cmdb"
	"assimilation/tenancy/store"
)

// appendString writes a string as agtype text, which is JSON's: quotes,
// backslashes and control characters escaped. Postgres has no character NUL.
func appendString(dst []byte, s string) ([]byte, error) {
	if !utf8.ValidString(s) {
		return nil, fmt.Errorf("text %.40q is not valid UTF-8", s)
	}
	dst = append(dst, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == 0:
			return nil, fmt.Errorf("text %.40q holds a NUL", s)
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < 0x20 || c == 0x7f:
			dst = append(dst, `\u00`...)
			dst = append(dst, hexDigits[c>>4], hexDigits[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"'), nil
}

const hexDigits = "0123456789abcdef"

func appendValue(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case string:
		return appendString(dst, v)
	case bool:
		return strconv.AppendBool(dst, v), nil
	case int64:
		return strconv.AppendInt(dst, v, 10), nil
	case []string:
		return appendList(dst, v, appendString)
	case []int64:
		return appendList(dst, v, func(dst []byte, n int64) ([]byte, error) { return strconv.AppendInt(dst, n, 10), nil })
	}
	return nil, fmt.Errorf("value of type %T is no property", v)
}

func appendList[T any](dst []byte, list []T, item func([]byte, T) ([]byte, error)) ([]byte, error) {
	dst = append(dst, '[')
	for i, v := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = item(dst, v); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}

// properties is the agtype text of an edge's properties, or of a vertex's, with
// its key among them.
func properties(key string, props map[string]any) (string, error) {
	dst := []byte{'{'}
	var err error
	if key != "" {
		dst = append(dst, `"`+store.KeyProperty+`":`...)
		if dst, err = appendString(dst, key); err != nil {
			return "", err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(props)) {
		if name == store.KeyProperty {
			return "", fmt.Errorf("property %q is the writer's", name)
		}
		if len(dst) > 1 {
			dst = append(dst, ',')
		}
		if dst, err = appendString(dst, name); err != nil {
			return "", err
		}
		dst = append(dst, ':')
		if dst, err = appendValue(dst, props[name]); err != nil {
			return "", fmt.Errorf("property %s: %w", name, err)
		}
	}
	return string(append(dst, '}')), nil
}

// keyText is a natural key as agtype text.
func keyText(ref cmdb.Ref) (string, error) {
	if ref.Key == "" || len(ref.Key) > cmdb.MaxKey {
		return "", fmt.Errorf("%s has a key of %d bytes, not 1 to %d: %.60q", ref.Label, len(ref.Key), cmdb.MaxKey, ref.Key)
	}
	b, err := appendString(nil, ref.Key)
	if err != nil {
		return "", fmt.Errorf("key of a %s: %w", ref.Label, err)
	}
	return string(b), nil
}

func keyTexts(label cmdb.Label, keys []string) ([]string, error) {
	texts := make([]string, len(keys))
	for i, key := range keys {
		var err error
		if texts[i], err = keyText(cmdb.Ref{Label: label, Key: key}); err != nil {
			return nil, err
		}
	}
	return texts, nil
}

// table is the quoted name of a label's table, for use in SQL text.
func (b *batch) table(label string) string { return tableOf(b.graph, label) }

func tableOf(graph, label string) string {
	return `"` + graph + `"."` + strings.ReplaceAll(label, `"`, `""`) + `"`
}
