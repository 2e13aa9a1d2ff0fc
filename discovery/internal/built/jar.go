package built

import (
	"encoding/binary"
	"io"
	"path"
	"strings"
)

// Limits of a jar.
const (
	maxDirectory = 8 << 20
	maxEntries   = 64 << 10
	maxProperty  = 64 << 10 // bytes of one file that is read
	// maxRead is what is read of a jar in all. Its entries may all be the same bytes, so
	// a small file can ask for much; each place that is read counts as so much more.
	maxRead = 256 << 20
	place   = 16 << 10
)

// meter is a jar of which no more than left bytes are read.
type meter struct {
	file io.ReaderAt
	left int64
}

func (m *meter) ReadAt(p []byte, offset int64) (int, error) {
	if m.left -= int64(len(p)) + place; m.left < 0 {
		return 0, errMalformed
	}
	return m.file.ReadAt(p, offset)
}

// Jar returns the artifacts in a jar of that size and name: those whose Maven
// properties are in it, also of others that were put into it; else what its manifest
// says, else its name. A jar within it is opened if it is not compressed, as those of
// Spring Boot are; else it says its name alone.
func Jar(file io.ReaderAt, size int64, name string) []Part {
	whole := &meter{file, maxRead}
	return whole.jar(whole, size, path.Base(name), "")
}

// jar reads a jar that is the whole file, or a part of it.
func (m *meter) jar(file io.ReaderAt, size int64, name, within string) (parts []Part) {
	manifest := ""
	add := func(group, artifact, version string) {
		if artifact == "" || version == "" || len(parts) == MaxParts {
			return
		}
		if group != "" {
			artifact = group + ":" + artifact
		}
		parts = append(parts, part("maven", artifact, version, within))
	}
	entries, err := directory(file, size)
	if err != nil {
		return nil
	}
	var inner []Part
	for _, e := range entries {
		if m.left < 0 {
			break
		}
		switch {
		case e.name == manifestName:
			manifest, _ = e.text(file)
		case isProperties(e.name):
			text, _ := e.text(file)
			add(property(text, "groupId="), property(text, "artifactId="), property(text, "version="))
		case strings.HasSuffix(e.name, ".jar") && within == "" && len(inner) < MaxParts:
			if content, ok := e.stored(file); ok {
				inner = append(inner, m.jar(content, content.Size(), path.Base(e.name), e.name)...)
			} else if artifact, version := fromName(path.Base(e.name)); artifact != "" {
				inner = append(inner, part("maven", artifact, version, e.name))
			}
		}
	}
	if len(parts) == 0 {
		attribute := func(names ...string) string {
			for _, n := range names {
				if v, _, _ := strings.Cut(property(manifest, n+": "), ";"); v != "" {
					return v
				}
			}
			return ""
		}
		add("", attribute("Bundle-SymbolicName", "Automatic-Module-Name", "Implementation-Title"), attribute("Implementation-Version", "Bundle-Version"))
	}
	if len(parts) == 0 {
		artifact, version := fromName(name)
		add("", artifact, version)
	}
	return append(parts, inner[:min(len(inner), MaxParts-len(parts))]...)
}

// property finds a line that begins so, and returns the rest of it.
func property(text, begins string) string {
	for line := range strings.Lines(text) {
		if value, is := strings.CutPrefix(strings.TrimSpace(line), begins); is {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// fromName splits "commons-io-2.11.0.jar".
func fromName(name string) (artifact, version string) {
	name = strings.TrimSuffix(name, ".jar")
	for i := 1; i+1 < len(name); i++ {
		if name[i] == '-' && name[i+1] >= '0' && name[i+1] <= '9' {
			return name[:i], name[i+1:]
		}
	}
	return "", ""
}

const manifestName = "META-INF/MANIFEST.MF"

func isProperties(name string) bool {
	return strings.HasPrefix(name, "META-INF/maven/") && strings.HasSuffix(name, "/pom.properties")
}

// entry is a file in a jar.
type entry struct {
	name         string
	method       uint16
	packed, size uint32
	offset       uint32
}

// directory reads the central directory of a ZIP file (APPNOTE.TXT, 4.3), not of one
// that needs the extension for more than 4 GB. Only what is looked at later is listed.
func directory(file io.ReaderAt, size int64) (entries []entry, err error) {
	tail := make([]byte, min(size, 22+64<<10))
	if _, err := file.ReadAt(tail, size-int64(len(tail))); err != nil && err != io.EOF {
		return nil, err
	}
	end := strings.LastIndex(string(tail), "PK\x05\x06")
	if end < 0 || len(tail)-end < 22 {
		return nil, errMalformed
	}
	little := binary.LittleEndian
	length, offset := little.Uint32(tail[end+12:]), little.Uint32(tail[end+16:])
	if length > maxDirectory {
		return nil, errMalformed
	}
	all := make([]byte, length)
	if _, err := file.ReadAt(all, int64(offset)); err != nil && err != io.EOF {
		return nil, err
	}
	for len(all) >= 46 && string(all[:4]) == "PK\x01\x02" && len(entries) < maxEntries {
		name, extra, comment := int(little.Uint16(all[28:])), int(little.Uint16(all[30:])), int(little.Uint16(all[32:]))
		if 46+name+extra+comment > len(all) {
			return nil, errMalformed
		}
		if n := string(all[46 : 46+name]); n == manifestName || isProperties(n) || strings.HasSuffix(n, ".jar") {
			entries = append(entries, entry{n, little.Uint16(all[10:]), little.Uint32(all[20:]), little.Uint32(all[24:]), little.Uint32(all[42:])})
		}
		all = all[46+name+extra+comment:]
	}
	return entries, nil
}

// packedContent is what the file holds of an entry, behind its own header.
func (e entry) packedContent(file io.ReaderAt) (*io.SectionReader, bool) {
	header := make([]byte, 30)
	if _, err := file.ReadAt(header, int64(e.offset)); err != nil || string(header[:4]) != "PK\x03\x04" {
		return nil, false
	}
	skip := 30 + int64(binary.LittleEndian.Uint16(header[26:])) + int64(binary.LittleEndian.Uint16(header[28:]))
	return io.NewSectionReader(file, int64(e.offset)+skip, int64(e.packed)), true
}

// stored is the content of an entry that is not compressed.
func (e entry) stored(file io.ReaderAt) (*io.SectionReader, bool) {
	if e.method != 0 {
		return nil, false
	}
	return e.packedContent(file)
}

// text is the content of a small entry.
func (e entry) text(file io.ReaderAt) (string, error) {
	content, ok := e.packedContent(file)
	if !ok || e.size > maxProperty {
		return "", errMalformed
	}
	switch e.method {
	case 0:
		text := make([]byte, min(int64(e.packed), maxProperty))
		_, err := io.ReadFull(content, text)
		return string(text), err
	case 8:
		return inflate(content, maxProperty)
	}
	return "", errMalformed
}
