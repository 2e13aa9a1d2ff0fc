package memory

import (
	"os"
	"slices"
	"strings"
	"testing"
)

const sample = `00400000-00700000 r-xp 00000000 fe:00 12 /opt/assim probe
Rss:                3000 kB
Anonymous:             0 kB
00700000-00a00000 r--p 00300000 fe:00 12 /opt/assim probe
Anonymous:             4 kB
00a00000-00b00000 rw-p 00600000 fe:00 12 /opt/assim probe
Anonymous:             0 kB
7f0000000000-7f0000001000 r-xp 00000000 fe:00 13 /lib/libc.so
Anonymous:             0 kB
7ffd00000000-7ffd00001000 r-xp 00000000 00:00 0 [vdso]
Anonymous:             0 kB
`

func TestUntouched(t *testing.T) {
	want := []mapping{{0x400000, 0x700000}}
	if got := untouched([]byte(sample), "/opt/assim probe"); !slices.Equal(got, want) {
		t.Errorf("%x", got)
	}
}

// TestGiveBack finds its own program smaller, and goes on running it.
func TestGiveBack(t *testing.T) {
	before := resident(t)
	GiveBack()
	after := resident(t)
	t.Logf("%d kB of the program before, %d after", before, after)
	if after >= before {
		t.Errorf("%d kB of the program before, %d after", before, after)
	}
}

// resident is what RssFile of /proc/self/status says, in kB.
func resident(t *testing.T) (kilobytes int) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); words[0] == "RssFile:" {
			for _, digit := range words[1] {
				kilobytes = 10*kilobytes + int(digit-'0')
			}
		}
	}
	return kilobytes
}

func FuzzUntouched(f *testing.F) {
	f.Add([]byte(sample))
	f.Fuzz(func(_ *testing.T, b []byte) { untouched(b, "/opt/assim probe") })
}
