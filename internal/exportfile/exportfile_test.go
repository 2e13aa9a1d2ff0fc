package exportfile

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
)

// made is an export with a long table, a short one and an empty one.
func made(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b, About{Tenant: "t", Name: "Example", TakenAt: time.Unix(1700000000, 0).UTC(), By: "test"})
	if err != nil {
		t.Fatal(err)
	}
	for table, rows := range map[string]int{"long": 3000, "short": 2, "empty": 0} {
		if err := w.Table(table); err != nil {
			t.Fatal(err)
		}
		for i := range rows {
			if err := w.Row(fmt.Appendf(nil, `{"n":%d,"text":"%s"}`, i, strings.Repeat("x", 3000))); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestWhatIsWrittenVerifies(t *testing.T) {
	m, err := Verify(bytes.NewReader(made(t)))
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]int64{}
	for _, table := range m.Tables {
		rows[table.Name] = table.Rows
	}
	if m.Name != "Example" || len(m.Files) != 4 || rows["long"] != 3000 || rows["short"] != 2 || len(rows) != 3 {
		t.Errorf("%+v", m)
	}
}

// changed is an export whose entries went through edit: nil leaves one out.
func changed(t testing.TB, export []byte, edit func(name string, content []byte) []byte) []byte {
	t.Helper()
	unpack, err := zstd.NewReader(bytes.NewReader(export))
	if err != nil {
		t.Fatal(err)
	}
	defer unpack.Close()
	var b bytes.Buffer
	pack, err := zstd.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	from, to := tar.NewReader(unpack), tar.NewWriter(pack)
	for {
		header, err := from.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		content, readErr := io.ReadAll(from)
		if err := errors.Join(err, readErr); err != nil {
			t.Fatal(err)
		}
		if content = edit(header.Name, content); content == nil {
			continue
		}
		header.Size = int64(len(content))
		headErr := to.WriteHeader(header)
		_, writeErr := to.Write(content)
		if err := errors.Join(headErr, writeErr); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(to.Close(), pack.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestDamageIsFound(t *testing.T) {
	whole := made(t)
	replace := func(file, old, new string) func(string, []byte) []byte {
		return func(name string, content []byte) []byte {
			if name == file {
				return bytes.Replace(content, []byte(old), []byte(new), 1)
			}
			return content
		}
	}
	if _, err := Verify(bytes.NewReader(changed(t, whole, func(_ string, content []byte) []byte { return content }))); err != nil {
		t.Fatalf("unchanged: %v", err)
	}
	for want, export := range map[string][]byte{
		"has no manifest": changed(t, whole, func(name string, content []byte) []byte { return map[bool][]byte{false: content}[name == manifestName] }),
		"names 4 files": changed(t, whole, func(name string, content []byte) []byte {
			return map[bool][]byte{false: content}[name == "short/000001.ndjson"]
		}),
		"not as the manifest":     changed(t, whole, replace("short/000001.ndjson", `"n":1`, `"n":2`)),
		"no JSON object":          changed(t, whole, replace("short/000001.ndjson", `{"n":1`, `[{"n":1`)),
		"table \"empty\"":         changed(t, whole, replace(manifestName, `"name":"empty","rows":0`, `"name":"empty","rows":1`)),
		"not assimilation-tenant": changed(t, whole, replace(manifestName, `"version":1`, `"version":2`)),
		"unexpected EOF":          whole[:len(whole)/2],
		"no table has such":       longName(t),
	} {
		if _, err := Verify(bytes.NewReader(export)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// longName is an export whose file has a name that a reader should not hold.
func longName(t *testing.T) []byte {
	var b bytes.Buffer
	w, err := NewWriter(&b, About{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Table(strings.Repeat("x", maxName)), w.Row([]byte("{}")), w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func FuzzVerify(f *testing.F) {
	whole := made(f)
	f.Add(whole)
	f.Add(whole[:100])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, export []byte) {
		if m, err := Verify(bytes.NewReader(export)); err == nil && m.Format != Format {
			t.Errorf("%+v", m)
		}
	})
}
