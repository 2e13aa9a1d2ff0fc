package collect

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"assimilation/discovery"
	"assimilation/discovery/internal/jsontext"
	"assimilation/discovery/internal/redact"
)

// maxPath bounds how much of a field's place an error tells.
const maxPath = 100

// decode reads what a script printed: one JSON object, without what its names and
// values tell to be secret. It is as strict as facts are: no name twice, whole
// numbers of 64 bits, valid UTF-8.
func decode(output []byte) (map[string]any, error) {
	if !utf8.Valid(output) {
		return nil, errors.New("output is not valid UTF-8")
	}
	value, err := jsontext.Parse(string(output))
	if err != nil {
		return nil, errors.New("output is not one JSON object (RFC 8259)")
	}
	if value[0] != '{' {
		return nil, errors.New("output is JSON, but no object")
	}
	body, err := object(value, "", false, 1)
	if err != nil {
		return nil, err
	}
	return body, nil
}

// object reads an object whose place in the output is path; secret says that a
// name above it spoke of one.
func object(value jsontext.Value, path string, secret bool, depth int) (map[string]any, error) {
	members := value.Members()
	body := make(map[string]any, len(members))
	named := namesSecretByValue(members)
	for _, m := range members {
		where := path + "/" + discovery.Clean(m.Name, maxPath)
		if _, twice := body[m.Name]; twice {
			return nil, fmt.Errorf("%s is named twice", discovery.Clean(where, maxPath))
		}
		hidden := secret || redact.Names(m.Name) || named && m.Name != "name" && m.Name != "key"
		v, err := read(m.Value, where, hidden, depth)
		if err != nil {
			return nil, err
		}
		body[m.Name] = v
	}
	return body, nil
}

// namesSecretByValue finds objects such as {"name": "DB_PASSWORD", "value": "x"}.
func namesSecretByValue(members []jsontext.Member) bool {
	for _, m := range members {
		if (m.Name == "name" || m.Name == "key") && redact.Names(m.Value.Text()) {
			return true
		}
	}
	return false
}

func read(value jsontext.Value, path string, secret bool, depth int) (any, error) {
	if depth > discovery.MaxDepth {
		return nil, fmt.Errorf("more than %d nested arrays and objects", discovery.MaxDepth)
	}
	switch value[0] {
	case '{':
		return object(value, path, secret, depth+1)
	case '[':
		items := []any{}
		for _, item := range value.Items() {
			v, err := read(item, path, secret, depth+1)
			if err != nil {
				return nil, err
			}
			items = append(items, v)
		}
		return items, nil
	case '"':
		if secret {
			return redact.Mark, nil
		}
		return redact.Args([]string{value.Text()})[0], nil
	case 't', 'f':
		return value == "true", nil
	case 'n':
		return nil, nil
	}
	if secret {
		return redact.Mark, nil
	}
	if _, err := discovery.Canonical(json.Number(value)); err != nil {
		return nil, fmt.Errorf("%s is %.40s: numbers are whole, of 64 bits and without exponent; write others as text", discovery.Clean(path, maxPath), value)
	}
	return json.Number(value), nil
}
