package rpmdb

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// value is one tag of a header made for a test.
type value struct {
	tag, kind uint32
	data      []byte
}

func text(tag uint32, s string) value { return value{tag, typeString, append([]byte(s), 0)} }

func number(tag, n uint32) value {
	return value{tag, typeInt32, binary.BigEndian.AppendUint32(nil, n)}
}

// encode makes a header as rpm's databases hold it.
func encode(values ...value) []byte {
	var tags, data []byte
	for _, v := range values {
		for v.kind == typeInt32 && len(data)%4 != 0 {
			data = append(data, 0)
		}
		for _, n := range []uint32{v.tag, v.kind, uint32(len(data)), 1} {
			tags = binary.BigEndian.AppendUint32(tags, n)
		}
		data = append(data, v.data...)
	}
	out := binary.BigEndian.AppendUint32(nil, uint32(len(values)))
	out = binary.BigEndian.AppendUint32(out, uint32(len(data)))
	return append(append(out, tags...), data...)
}

// sample makes a header of a package whose files take that many bytes.
func sample(i, files int) (Package, []byte) {
	p := Package{Name: fmt.Sprintf("sample-%03d", i), Version: "1." + fmt.Sprint(i), Release: "2.el9", Arch: "x86_64", License: "MIT AND BSD-3-Clause"}
	values := []value{
		{63, 7, make([]byte, 16)}, // the immutable region
		text(tagName, p.Name), text(tagVersion, p.Version), text(tagRelease, p.Release),
	}
	if i%3 == 0 {
		p.Epoch = uint32(i + 1)
		values = append(values, number(tagEpoch, p.Epoch))
	}
	values = append(values, text(1004, "a summary"), text(1005, strings.Repeat("description ", 20)),
		text(tagLicense, p.License), text(tagArch, p.Arch), text(1117, strings.Repeat("f", files)))
	return p, encode(values...)
}

// samples makes packages of many sizes.
func samples(n int) (packages []Package, blobs [][]byte) {
	for i := range n {
		files := []int{10, 300, 4_000, 70_000}[i%4]
		if i == n-1 {
			files = 1 << 20
		}
		p, blob := sample(i, files)
		packages, blobs = append(packages, p), append(blobs, blob)
	}
	return packages, blobs
}

func readBytes(b []byte) (Package, error) {
	return readHeader(bufio.NewReaderSize(bytes.NewReader(b), 4<<10), int64(len(b)))
}

func TestHeader(t *testing.T) {
	for i := range 4 {
		want, blob := sample(i, 5000)
		if got, err := readBytes(blob); err != nil || got != want {
			t.Errorf("%+v, %v", got, err)
		}
	}
	long := strings.Repeat("x", 20_000)
	for name, test := range map[string]struct {
		blob []byte
		want Package
	}{
		"no tags":             {encode(), Package{}},
		"in no order":         {encode(text(tagArch, "noarch"), number(tagEpoch, 7), text(tagName, "a")), Package{Name: "a", Arch: "noarch", Epoch: 7}},
		"long text is cut":    {encode(text(tagLicense, long), text(tagName, "a")), Package{Name: "a", License: long[:MaxText]}},
		"the first counts":    {encode(text(tagName, "a"), text(tagName, "b")), Package{Name: "a"}},
		"of another type":     {encode(value{tagName, typeInt32, make([]byte, 4)}, text(tagArch, "noarch")), Package{Arch: "noarch"}},
		"empty text":          {encode(text(tagName, ""), text(tagArch, "noarch")), Package{Arch: "noarch"}},
		"as long as a buffer": {encode(text(tagName, long[:4095]), text(tagArch, "noarch")), Package{Name: long[:MaxText], Arch: "noarch"}},
	} {
		if got, err := readBytes(test.blob); err != nil || got != test.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestBrokenHeaders(t *testing.T) {
	whole := encode(text(tagName, "name"), text(tagVersion, "1"))
	overlap := bytes.Clone(whole)
	binary.BigEndian.PutUint32(overlap[8+tagSize+8:], 2) // the version begins within the name
	endless := bytes.Clone(whole)
	endless[len(endless)-1] = '1'
	for name, blob := range map[string][]byte{
		"empty":         nil,
		"cut":           whole[:len(whole)-1],
		"too many tags": binary.BigEndian.AppendUint32(nil, maxTags+1),
		"no data":       binary.BigEndian.AppendUint64(nil, 1<<32|0xffffffff),
		"overlap":       overlap,
		"no end":        endless,
	} {
		if got, err := readBytes(blob); err == nil {
			t.Errorf("%s: read as %+v", name, got)
		}
	}
}

// read gathers what a reader finds.
func read(t *testing.T, reader func(each func(Package)) error) []Package {
	t.Helper()
	var got []Package
	if err := reader(func(p Package) { got = append(got, p) }); err != nil {
		t.Fatal(err)
	}
	return got
}

func same(t *testing.T, got, want []Package) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%d packages, want %d:\n%+v\n%+v", len(got), len(want), got[:min(3, len(got))], want[:min(3, len(want))])
	}
}

func FuzzHeader(f *testing.F) {
	_, blob := sample(3, 100)
	f.Add(blob)
	f.Add(encode(text(tagName, "a")))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := readBytes(b)
		if err == nil && max(len(p.Name), len(p.Version), len(p.Release), len(p.Arch), len(p.License)) > MaxText {
			t.Errorf("%+v", p)
		}
	})
}
