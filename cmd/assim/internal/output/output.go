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
	"unicode"

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
	SVG   Format = "svg" // of pictures only
	DOT   Format = "dot" // of pictures only, for Graphviz
)

// Set reads the -o flag.
func (f *Format) Set(s string) error {
	switch Format(s) {
	case Table, JSON, YAML, CSV, SVG, DOT:
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
		row, err := rowOf(raw, format, columns)
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	if format == CSV {
		return writeCSV(w, columns, rows)
	}
	return writeTable(w, columns, rows)
}

func rowOf(raw json.RawMessage, format Format, columns []string) ([]string, error) {
	fields, err := decode(raw)
	if err != nil {
		return nil, err
	}
	row := make([]string, len(columns))
	for i, c := range columns {
		value := lookup(fields, c)
		row[i] = Printable(text(value))
		if _, is := value.(string); is && format == CSV {
			row[i] = noFormula(row[i])
		}
	}
	return row, nil
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
		fmt.Fprintf(tw, "%s\t%s\n", strings.ReplaceAll(f, "_", " "), Printable(text(lookup(values, f))))
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
	if v, ok := fields[path]; ok { // a column may be named h.name
		return v
	}
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
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := io.WriteString(w, escaped(b.String()))
	return err
}

// escaped escapes what JSON need not escape and Printable takes out. It can only
// stand within strings.
func escaped(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r != '\n' && obeyed(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func writeYAML(w io.Writer, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding the answer: %w", err)
	}
	var plain any
	if err := yaml.Unmarshal([]byte(escaped(string(b))), &plain); err != nil { // JSON is YAML, once all control characters are escaped
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

// writeTable pads columns with spaces; on a terminal, long values are cut to fit
// its width.
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
	fit(heads, rows, widthOf(w))
	fmt.Fprintln(tw, strings.Join(heads, "\t"))
	for _, row := range rows {
		fmt.Fprintln(tw, strings.Join(row, "\t"))
	}
	return tw.Flush()
}

// Printable takes out what a terminal obeys rather than shows: what hosts report
// is not to be trusted. That is control characters, and those that turn the
// direction of what follows.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if obeyed(r) {
			return '?'
		}
		return r
	}, s)
}

func obeyed(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }

// noFormula keeps a spreadsheet from taking what a host reported for a formula.
func noFormula(s string) string {
	if s != "" && strings.ContainsRune("=+-@", rune(s[0])) {
		return "'" + s
	}
	return s
}
