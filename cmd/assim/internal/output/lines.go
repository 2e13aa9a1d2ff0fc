package output

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Lines prints items as they come: a row each, one JSON object a line, one YAML
// document each.
type Lines struct {
	w       io.Writer
	format  Format
	columns []string
	widths  []int // of a table's columns, so far
	begun   bool
}

// NewLines prints to w; columns are the fields that a table and CSV show.
func NewLines(w io.Writer, format Format, columns []string) *Lines {
	l := &Lines{w: w, format: format, columns: columns, widths: make([]int, len(columns))}
	for i, c := range columns {
		l.widths[i] = utf8.RuneCountInString(c)
	}
	return l
}

// Print prints one item.
func (l *Lines) Print(item json.RawMessage) error {
	first := !l.begun
	l.begun = true
	switch l.format {
	case JSON:
		var line bytes.Buffer
		if err := json.Compact(&line, item); err != nil {
			return fmt.Errorf("reading a row of the answer: %w", err)
		}
		_, err := io.WriteString(l.w, escaped(line.String())+"\n")
		return err
	case YAML:
		if _, err := io.WriteString(l.w, "---\n"); err != nil {
			return err
		}
		return writeYAML(l.w, item)
	}
	row, err := rowOf(item, l.format, l.columns)
	if err != nil {
		return err
	}
	if l.format == CSV {
		c := csv.NewWriter(l.w)
		if first {
			c.Write(l.columns)
		}
		c.Write(row)
		c.Flush()
		return c.Error()
	}
	if first {
		heads := make([]string, len(l.columns))
		for i, c := range l.columns {
			heads[i] = strings.ToUpper(strings.ReplaceAll(c, "_", " "))
			l.widths[i] = max(l.widths[i], utf8.RuneCountInString(row[i]))
		}
		if err := l.write(heads); err != nil {
			return err
		}
	}
	return l.write(row)
}

// write pads to the widest value so far: what comes later is not known.
func (l *Lines) write(row []string) error {
	var b strings.Builder
	for i, value := range row {
		b.WriteString(value)
		if i == len(row)-1 {
			break
		}
		l.widths[i] = max(l.widths[i], utf8.RuneCountInString(value))
		b.WriteString(strings.Repeat(" ", l.widths[i]-utf8.RuneCountInString(value)+2))
	}
	b.WriteByte('\n')
	_, err := io.WriteString(l.w, b.String())
	return err
}
