// Package ui is the look of the console: the frame around every page, the
// components that pages are made of, and the style and script, embedded.
// It knows nothing of requests or data.
package ui

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"path"
	"sync"
)

//go:embed assets
var files embed.FS

// The files that pages refer to.
const (
	icon   = "icon.svg"
	script = "console.js"
	style  = "console.css"
)

var mediaTypes = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}

// Asset is a file that pages refer to.
type Asset struct {
	Path string // carries a hash of the content
	Type string
	ETag string
	Body []byte
}

// Assets lists them, by file name.
var Assets = sync.OnceValue(func() map[string]Asset {
	all := map[string]Asset{}
	for _, name := range []string{icon, script, style} {
		body, err := files.ReadFile("assets/" + name)
		if err != nil {
			panic(fmt.Sprintf("embedded file: %v", err)) // the build holds it
		}
		sum := sha256.Sum256(body)
		hash, ext := hex.EncodeToString(sum[:8]), path.Ext(name)
		all[name] = Asset{"/assets/" + name[:len(name)-len(ext)] + "-" + hash + ext, mediaTypes[ext], `"` + hash + `"`, body}
	}
	return all
})

func asset(name string) string { return Assets()[name].Path }
