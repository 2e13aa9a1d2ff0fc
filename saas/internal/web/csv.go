package web

import (
	"encoding/csv"
	"iter"
	"net/http"
	"regexp"
	"strconv"
)

// MaxCSV is how many rows a page's table has as a file: what is longer is for the
// API.
const MaxCSV = 10_000

// WantsCSV reports whether a page is asked for as a file for a spreadsheet.
func WantsCSV(r *http.Request) bool { return r.URL.Query().Get("format") == "csv" }

// CSVOf is the address of the page's table as a file, from its beginning.
func CSVOf(r *http.Request) string {
	q := r.URL.Query()
	q.Del("cursor")
	q.Set("format", "csv")
	return r.URL.Path + "?" + q.Encode()
}

// SendCSV sends a table under a file's name.
func SendCSV(w http.ResponseWriter, name string, columns []string, rows iter.Seq[[]string]) {
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`.csv"`)
	w.Header().Set("Cache-Control", "no-store")
	out := csv.NewWriter(w)
	write := func(row []string) {
		plain := make([]string, len(row))
		for i, cell := range row {
			plain[i] = Cell(cell)
		}
		out.Write(plain)
	}
	write(columns) // they may be of a question that somebody else asked
	for row := range rows {
		write(row)
	}
	out.Flush() // the answer has begun: an error now is a client that left
}

// Where a semicolon, a tab or a line's end divides cells, as it does for half of Europe,
// another begins within this one. Full-width signs begin formulas, too.
var (
	formula = regexp.MustCompile(`^[=+\-@\t\r\n\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}]`)
	within  = regexp.MustCompile(`([;\t\r\n][" ]*)([=+\-@\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}])`)
)

// Cell keeps a spreadsheet from taking what a host or a person said for a formula; a
// number is none.
func Cell(s string) string {
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		return s
	}
	if s = within.ReplaceAllString(s, "$1'$2"); formula.MatchString(s) {
		return "'" + s
	}
	return s
}
