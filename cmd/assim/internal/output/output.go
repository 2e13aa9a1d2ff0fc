// Package output prints lists and single things as table, JSON, YAML or CSV.
package output

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"go.yaml.in/yaml/v3"
)

// Format is how a result is printed.
type Format string

// The formats.
const (
	Table Format = "table"
	JSON  Format = "json"
	YAML  Format = "yaml"
	CSV   Format = "csv"
)

// Set reads the -o flag.
func (f *Format) Set(s string) error {
	switch Format(s) {
	case Table, JSON, YAML, CSV:
		*f = Format(s)
		return nil
	}
	return fmt.Errorf("%q is not one of table, json, yaml, csv", s)
}

func (f *Format) String() string { return string(*f) }

// Type names the flag's value in help texts.
func (f *Format) Type() string { return "format" }

// List prints items: columns are the fields that a table and CSV show; JSON and
// YAML hold all fields.
func List(w io.Writer, format Format, columns []string, items []json.RawMessage) error {
	switch format {
	case JSON:
		if items == nil {
			items = []json.RawMessage{}
		}
		return writeJSON(w, items)
	case YAML:
		return writeYAML(w, items)
	}
	rows := make([][]string, 0, len(items))
	for _, raw := range items {
		fields, err := decode(raw)
		if err != nil {
			return err
		}
		row := make([]string, len(columns))
		for i, c := range columns {
			row[i] = text(lookup(fields, c))
		}
		rows = append(rows, row)
	}
	if format == CSV {
		return writeCSV(w, columns, rows)
	}
	return writeTable(w, columns, rows)
}

// One prints a single thing; a table shows one field a line, in the given order.
func One(w io.Writer, format Format, fields []string, item json.RawMessage) error {
	switch format {
	case JSON:
		return writeJSON(w, item)
	case YAML:
		return writeYAML(w, item)
	case CSV:
		return List(w, CSV, fields, []json.RawMessage{item})
	}
	values, err := decode(item)
	if err != nil {
		return err
	}
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, f := range fields {
		fmt.Fprintf(tw, "%s\t%s\n", strings.ReplaceAll(f, "_", " "), text(lookup(values, f)))
	}
	return tw.Flush()
}

func decode(raw json.RawMessage) (map[string]any, error) {
	fields := map[string]any{}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&fields); err != nil {
		return nil, fmt.Errorf("reading a row of the answer: %w", err)
	}
	return fields, nil
}

// lookup follows a dotted path.
func lookup(fields map[string]any, path string) any {
	name, rest, nested := strings.Cut(path, ".")
	if !nested {
		return fields[name]
	}
	inner, _ := fields[name].(map[string]any)
	return lookup(inner, rest)
}

func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return v.String()
	case []any:
		parts := make([]string, len(v))
		for i, x := range v {
			parts[i] = text(x)
		}
		return strings.Join(parts, " ")
	case map[string]any:
		b, _ := json.Marshal(v) // decoded from JSON, so it encodes
		return string(b)
	}
	return fmt.Sprint(v)
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func writeYAML(w io.Writer, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding the answer: %w", err)
	}
	var plain any
	if err := yaml.Unmarshal(b, &plain); err != nil { // JSON is YAML
		return fmt.Errorf("encoding the answer: %w", err)
	}
	e := yaml.NewEncoder(w)
	e.SetIndent(2)
	if err := e.Encode(plain); err != nil {
		return fmt.Errorf("writing the answer: %w", err)
	}
	return e.Close()
}

func writeCSV(w io.Writer, columns []string, rows [][]string) error {
	c := csv.NewWriter(w)
	c.Write(columns)
	c.WriteAll(rows)
	return c.Error()
}

// writeTable pads columns with spaces; control characters of the estate never
// reach the terminal.
func writeTable(w io.Writer, columns []string, rows [][]string) error {
	if len(rows) == 0 {
		_, err := fmt.Fprintln(w, "nothing found")
		return err
	}
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	heads := make([]string, len(columns))
	for i, c := range columns {
		heads[i] = strings.ToUpper(strings.ReplaceAll(c, "_", " "))
	}
	fmt.Fprintln(tw, strings.Join(heads, "\t"))
	for _, row := range rows {
		for i := range row {
			row[i] = printable(row[i])
		}
		fmt.Fprintln(tw, strings.Join(row, "\t"))
	}
	return tw.Flush()
}

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || (r >= 0x80 && r < 0xa0) {
			return '?'
		}
		return r
	}, s)
}
