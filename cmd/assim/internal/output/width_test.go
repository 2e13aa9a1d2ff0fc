package output

import (
	"strings"
	"testing"
)

func TestATableFitsItsTerminal(t *testing.T) {
	long := strings.Repeat("openssl 3.0.15 -> 3.0.16 (amd64), ", 5)
	for width, want := range map[int]string{0: long, 60: "openssl 3.0.15 -> 3.0.16 (amd64), openssl…", 200: long, 10: "openssl 3.0…"} {
		rows := [][]string{{"2026-11-21", "web1", long}, {"2026-11-21", "ü", "short"}}
		fit([]string{"SEEN AT", "HOST", "SUMMARY"}, rows, width)
		if rows[0][2] != want || rows[1][2] != "short" {
			t.Errorf("%d wide: %q, want %q", width, rows[0][2], want)
		}
	}
}
