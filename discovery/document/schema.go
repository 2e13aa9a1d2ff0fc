package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"assimilation/discovery"
)

// schema is the kind's body as a JSON Schema. Fields that it does not name may
// come with a later version of the program.
func (p *page) schema() (string, error) {
	root := object()
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"], root["description"] = p.kind.Name, p.kind.Doc
	at := map[string]map[string]any{"": root}
	for _, f := range p.fields {
		parent, name := "", f.Path
		if i := strings.LastIndexByte(f.Path, '.'); i >= 0 {
			parent, name = f.Path[:i], f.Path[i+1:]
		}
		of := at[strings.TrimSuffix(parent, "[]")]
		if of == nil {
			return "", fmt.Errorf("field %s of kind %s has no parent", f.Path, p.kind.Name)
		}
		property := map[string]any{}
		if f.doc != "" {
			property["description"] = f.doc
		}
		switch f.Shape {
		case discovery.Object, discovery.Items:
			inner := object()
			at[f.Path] = inner
			if f.Shape == discovery.Items {
				property["type"], property["items"] = "array", inner
			} else {
				inner["description"] = f.doc
				property = inner
			}
		case discovery.List:
			property["type"] = "array"
		default:
			property["type"] = string(f.Shape)
		}
		of["properties"].(map[string]any)[name] = property
		if !f.Optional {
			of["required"] = append(of["required"].([]string), name)
		}
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(root)
	return out.String(), err
}

func object() map[string]any {
	return map[string]any{"type": "object", "properties": map[string]any{}, "required": []string{}}
}
