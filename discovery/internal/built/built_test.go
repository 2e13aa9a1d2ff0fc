package built

import (
	"archive/zip"
	"bytes"
	"compress/zlib"
	"debug/buildinfo"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestGoPrograms holds what is read of programs of this host against
// debug/buildinfo: this test itself, and the tools of Go.
func TestGoPrograms(t *testing.T) {
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	tools, _ := filepath.Glob("/usr/local/go/bin/*")
	for _, name := range append(tools, own) {
		info, err := buildinfo.ReadFile(name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		version, _, _ := strings.Cut(info.GoVersion, " ")
		want := []Part{{"go", "stdlib", strings.TrimPrefix(version, "go"), ""}}
		if info.Main.Path != "" {
			want = append(want, Part{"go", info.Main.Path, info.Main.Version, ""})
		}
		for _, m := range info.Deps {
			if m.Replace != nil {
				m = m.Replace
			}
			want = append(want, Part{"go", m.Path, m.Version, ""})
		}
		file, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := Program(file); !slices.Equal(got, want) {
			t.Errorf("%s:\n got %v\nwant %v", name, got, want)
		}
		file.Close()
	}
}

// elf makes a file of one section in the class and order of bytes.
func elf(wide bool, order binary.AppendByteOrder, name string, content []byte) []byte {
	word := func(b []byte, v int) []byte {
		if wide {
			return order.AppendUint64(b, uint64(v))
		}
		return order.AppendUint32(b, uint32(v))
	}
	header, one, class := 52, 40, byte(1)
	if wide {
		header, one, class = 64, 64, 2
	}
	data := byte(1)
	if order.String() == "BigEndian" {
		data = 2
	}
	names := "\x00" + name + "\x00.shstrtab\x00"
	out := append([]byte{0x7f, 'E', 'L', 'F', class, data, 1}, make([]byte, 9)...)
	out = append(out, make([]byte, 8)...)
	out = word(word(word(out, 0), 0), header+len(names)+len(content)) // entry, program headers, section headers
	out = append(out, make([]byte, 10)...)
	out = order.AppendUint16(order.AppendUint16(order.AppendUint16(out, uint16(one)), 2), 1)
	out = append(append(out, names...), content...)
	section := func(at, offset, length int) {
		start := len(out)
		out = order.AppendUint32(out, uint32(at))
		out = word(word(order.AppendUint32(out, 1), 0), 0)
		out = word(word(out, offset), length)
		out = append(out, make([]byte, one-(len(out)-start))...)
	}
	section(1, header+len(names), len(content))
	section(1+len(name)+1, header, len(names))
	return out
}

func rust(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	fmt.Fprint(w, `{"packages":[{"name":"adler","version":"1.0.2","source":"registry"},{"name":"cc","version":"1.0.1","source":"registry","kind":"build"},
 {"name":"server","version":"0.1.0","source":"local","dependencies":[0],"root":true}]}`)
	w.Close()
	return out.Bytes()
}

func TestRustPrograms(t *testing.T) {
	want := []Part{{"cargo", "adler", "1.0.2", ""}, {"cargo", "server", "0.1.0", ""}}
	for _, wide := range []bool{true, false} {
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			if got := Program(bytes.NewReader(elf(wide, order, ".dep-v0", rust(t)))); !slices.Equal(got, want) {
				t.Errorf("wide %v, %v: got %v", wide, order, got)
			}
		}
	}
	for _, bad := range [][]byte{nil, []byte("#!/bin/sh\n"), elf(true, binary.LittleEndian, ".text", nil), elf(true, binary.LittleEndian, ".dep-v0", []byte("x")), elf(true, binary.LittleEndian, ".go.buildinfo", make([]byte, 40))} {
		if got := Program(bytes.NewReader(bad)); len(got) > 0 {
			t.Errorf("%.20q has %v", bad, got)
		}
	}
}

// archive makes a jar: pairs of names and contents, those that begin with "=" not
// compressed.
func archive(t testing.TB, pairs ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for i := 0; i < len(pairs); i += 2 {
		name, method := pairs[i], zip.Deflate
		if plain, is := strings.CutPrefix(name, "="); is {
			name, method = plain, zip.Store
		}
		f, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: method})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(f, pairs[i+1])
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func properties(group, artifact, version string) string {
	return "#Created by Apache Maven\nversion=" + version + "\r\ngroupId=" + group + "\nartifactId=" + artifact + "\n"
}

func TestJars(t *testing.T) {
	log4j := archive(t, "META-INF/MANIFEST.MF", "Manifest-Version: 1.0\r\nImplementation-Version: 9\r\n",
		"META-INF/maven/org.apache.logging.log4j/log4j-core/pom.properties", properties("org.apache.logging.log4j", "log4j-core", "2.14.1"))
	shaded := archive(t, "=META-INF/maven/a/b/pom.properties", properties("a", "b", "1"), "META-INF/maven/c/d/pom.properties", properties("c", "d", "2"), "x.class", "")
	for name, test := range map[string]struct {
		jar  []byte
		want []Part
	}{
		"log4j-core.jar": {log4j, []Part{{"maven", "org.apache.logging.log4j:log4j-core", "2.14.1", ""}}},
		"shaded.jar":     {shaded, []Part{{"maven", "a:b", "1", ""}, {"maven", "c:d", "2", ""}}},
		"guava.jar": {archive(t, "META-INF/MANIFEST.MF", "Bundle-SymbolicName: com.google.guava;singleton:=true\r\nBundle-Version: 31.1.0.jre\r\n"),
			[]Part{{"maven", "com.google.guava", "31.1.0.jre", ""}}},
		"commons-io-2.11.0.jar": {archive(t, "x.class", ""), []Part{{"maven", "commons-io", "2.11.0", ""}}},
		"plain.jar":             {archive(t, "META-INF/MANIFEST.MF", "Main-Class: Main\n"), nil},
		"app.jar": {archive(t, "META-INF/MANIFEST.MF", "Implementation-Title: shop\nImplementation-Version: 3\n", "=BOOT-INF/lib/log4j-core-2.14.1.jar", string(log4j),
			"WEB-INF/lib/packed-1.5.jar", string(log4j), "WEB-INF/lib/nameless.jar", ""),
			[]Part{{"maven", "shop", "3", ""}, {"maven", "org.apache.logging.log4j:log4j-core", "2.14.1", "BOOT-INF/lib/log4j-core-2.14.1.jar"}, {"maven", "packed", "1.5", "WEB-INF/lib/packed-1.5.jar"}}},
		"text.jar": {[]byte("no jar"), nil},
	} {
		if got := Jar(bytes.NewReader(test.jar), int64(len(test.jar)), "/srv/"+name); !slices.Equal(got, test.want) {
			t.Errorf("%s:\n got %v\nwant %v", name, got, test.want)
		}
	}
}

func FuzzProgram(f *testing.F) {
	f.Add(elf(true, binary.LittleEndian, ".dep-v0", rust(f)))
	f.Add(elf(false, binary.BigEndian, ".go.buildinfo", []byte("\xff Go buildinf:\x08\x020123456789abcdef\x06go1.26\x00")))
	f.Fuzz(func(t *testing.T, file []byte) {
		if parts := Program(bytes.NewReader(file)); len(parts) > MaxParts {
			t.Errorf("%d parts", len(parts))
		}
		_, _ = goParts(file), rustParts(file)
	})
}

func FuzzJar(f *testing.F) {
	f.Add(archive(f, "META-INF/maven/a/b/pom.properties", properties("a", "b", "1"), "=x.jar", string(archive(f, "y", ""))))
	f.Fuzz(func(t *testing.T, file []byte) {
		if parts := Jar(bytes.NewReader(file), int64(len(file)), "x-1.jar"); len(parts) > MaxParts {
			t.Errorf("%d parts", len(parts))
		}
	})
}
