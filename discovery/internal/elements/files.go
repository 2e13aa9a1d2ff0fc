package elements

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"path"

	"assimilation/cmdb"
)

// File is a file of a set.
type File struct {
	Path, Role string
	SHA256     string // "" where not known
	Bytes      int64  // 0 where not known
}

// Files adds the vertex of a set of files, those of its files, and the edges
// between them. Sets with the same content are one vertex, whoever has them; the
// files are in the order of their paths. Nothing is added for no file.
func Files(e *cmdb.Elements, files []File) (cmdb.Ref, bool) {
	h := sha256.New()
	part := func(text string) {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(text))))
		h.Write([]byte(text))
	}
	var kept []File
	seen := map[string]bool{}
	for _, f := range files {
		if f.Path == "" || len(f.Path) > cmdb.MaxKey || seen[f.Path] {
			continue
		}
		seen[f.Path] = true
		kept = append(kept, f)
		part(f.Path)
		part(f.Role)
		part(f.SHA256)
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(f.Bytes)))
	}
	if len(kept) == 0 {
		return cmdb.Ref{}, false
	}
	set := e.AddVertex(cmdb.FileSet, hex.EncodeToString(h.Sum(nil)), map[string]any{"count": int64(len(kept))})
	for _, f := range kept {
		props := map[string]any{"role": f.Role}
		Text(props, "sha256", f.SHA256)
		if f.Bytes > 0 {
			props["bytes"] = f.Bytes
		}
		file := e.AddVertex(cmdb.File, f.Path, map[string]any{"path": f.Path, "name": path.Base(f.Path)})
		e.AddEdge(cmdb.Holds, set, file, props)
	}
	return set, true
}
