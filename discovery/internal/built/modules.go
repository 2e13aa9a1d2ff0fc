package built

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"io"
	"strings"

	"assimilation/discovery/internal/jsontext"
)

// goParts reads the section .go.buildinfo as Go writes it since 1.18 (the comment at
// the head of debug/buildinfo): 16 bytes of mark, size and flags, 16 that are not used,
// then two strings with their lengths before them: the version of Go, and what
// `go version -m` prints between two marks of 16 bytes.
func goParts(info []byte) (parts []Part) {
	const mark, inline = "\xff Go buildinf:", 2
	if len(info) < 32 || !strings.HasPrefix(string(info[:16]), mark) || info[15]&inline == 0 {
		return nil
	}
	version, rest, ok := sized(info[32:])
	modules, _, _ := sized(rest)
	if !ok || !strings.HasPrefix(version, "go") {
		return nil
	}
	word, _, _ := strings.Cut(version, " ") // experiments stand behind
	parts = append(parts, part("go", "stdlib", strings.TrimPrefix(word, "go"), ""))
	if len(modules) < 33 || modules[len(modules)-17] != '\n' {
		return parts
	}
	for line := range strings.Lines(modules[16 : len(modules)-16]) {
		words := strings.SplitN(strings.TrimSuffix(line, "\n"), "\t", 4) // a checksum may stand behind
		if len(words) < 3 || len(parts) == MaxParts {
			continue
		}
		switch words[0] {
		case "mod", "dep":
			parts = append(parts, part("go", words[1], words[2], ""))
		case "=>": // is built in its place
			parts[len(parts)-1] = part("go", words[1], words[2], "")
		}
	}
	return parts
}

// sized splits a string off that its length precedes.
func sized(b []byte) (text string, rest []byte, ok bool) {
	n, width := binary.Uvarint(b)
	if width <= 0 || n > uint64(len(b)-width) {
		return "", nil, false
	}
	return string(b[width : width+int(n)]), b[width+int(n):], true
}

// maxTree bounds the JSON of a Rust program: of a thousand crates it has 100 kB. What
// is read of it takes many times that much memory.
const maxTree = 1 << 20

// rustParts reads the section .dep-v0: compressed JSON (RFC 1950), of which the
// packages that are part of the program itself count
// (github.com/rust-secure-code/cargo-auditable, PARSING.md).
func rustParts(info []byte) (parts []Part) {
	if len(info) < 2 {
		return nil
	}
	text, err := inflate(bytes.NewReader(info[2:]), maxTree)
	if err != nil {
		return nil
	}
	tree, err := jsontext.Parse(text)
	if err != nil {
		return nil
	}
	for _, p := range tree.Get("packages").Items() {
		if p.Get("kind").Text() != "build" && len(parts) < MaxParts {
			parts = append(parts, part("cargo", p.Get("name").Text(), p.Get("version").Text(), ""))
		}
	}
	return parts
}

// inflate decompresses what is no more than limit bytes.
func inflate(from io.Reader, limit int64) (string, error) {
	var out strings.Builder
	n, err := io.Copy(&out, io.LimitReader(flate.NewReader(from), limit+1))
	if err == nil && n > limit {
		err = errMalformed
	}
	return out.String(), err
}
