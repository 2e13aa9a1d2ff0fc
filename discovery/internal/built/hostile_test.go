package built

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"runtime"
	"strings"
	"testing"
)

// allocated is how many bytes f asks for.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// A program of some kilobytes, which anybody may run, must not cost the probe its
// memory: it has 64 MB.
func TestSmallProgramsCostLittle(t *testing.T) {
	var packed bytes.Buffer
	w := zlib.NewWriter(&packed)
	w.Write([]byte(`{"packages":[{}` + strings.Repeat(`,{}`, 2_500_000) + `]}`))
	w.Close()
	rust := bytes.NewReader(elf(true, binary.LittleEndian, ".dep-v0", packed.Bytes()))
	tabs := "\xff Go buildinf:\x08\x020123456789abcdef\x06go1.26"
	tabs += string(binary.AppendUvarint(nil, 900_000)) + strings.Repeat("\t", 900_000-17) + "\n" + strings.Repeat("x", 16)
	golang := bytes.NewReader(elf(true, binary.LittleEndian, ".go.buildinfo", []byte(tabs)))
	for name, file := range map[string]*bytes.Reader{"rust": rust, "go": golang} {
		if cost := allocated(func() { Program(file) }); cost > 16<<20 {
			t.Errorf("%s: a program of %d bytes cost %d", name, file.Size(), cost)
		}
	}
}

// What is remembered of a file does not hold what it was read from.
func TestPartsAreShort(t *testing.T) {
	long := strings.Repeat("x", maxProperty-100)
	jar := archive(t, "META-INF/maven/a/b/pom.properties", properties("a", "b", long), "=lib/"+long+"-1.jar", "")
	parts := Jar(bytes.NewReader(jar), int64(len(jar)), "a.jar")
	if len(parts) == 0 {
		t.Fatal("no parts")
	}
	for _, p := range parts {
		if len(p.Name) > maxText || len(p.Version) > maxText || len(p.Within) > maxText {
			t.Errorf("part of %d, %d, %d bytes", len(p.Name), len(p.Version), len(p.Within))
		}
	}
}

// counted counts what is read.
type counted struct {
	*bytes.Reader
	reads, bytes int64
}

func (c *counted) ReadAt(p []byte, offset int64) (int, error) {
	c.reads++
	c.bytes += int64(len(p))
	return c.Reader.ReadAt(p, offset)
}

// repeated lists the first entry of a jar many times.
func repeated(jar []byte, times int) []byte {
	end := bytes.LastIndex(jar, []byte("PK\x05\x06"))
	from := int(binary.LittleEndian.Uint32(jar[end+16:]))
	out := append(bytes.Clone(jar[:from]), bytes.Repeat(jar[from:end], times)...)
	tail := bytes.Clone(jar[end:])
	binary.LittleEndian.PutUint32(tail[12:], uint32((end-from)*times))
	return append(out, tail...)
}

// A jar all of whose entries are the same jar is read no longer than another.
func TestARepeatedEntryIsNotReadForEver(t *testing.T) {
	inner := repeated(archive(t, "META-INF/maven/a/b/pom.properties", strings.Repeat(" ", maxProperty)), 60_000)
	jar := repeated(archive(t, "=x.jar", string(inner)), 60_000)
	file := &counted{Reader: bytes.NewReader(jar)}
	const most = maxRead / 64
	whole := &meter{file, most}
	if parts := whole.jar(whole, int64(len(jar)), "a.jar", ""); len(parts) != 0 {
		t.Errorf("%d parts", len(parts))
	}
	if file.bytes > most || file.reads > most/place {
		t.Errorf("%d bytes were read in %d reads", file.bytes, file.reads)
	}
}
