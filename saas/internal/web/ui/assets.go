// Package ui is the look of the console: the frame around every page, the
// components that pages are made of, and the style and script, embedded.
// It knows nothing of requests or data.
package ui

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"sync"
)

//go:embed assets/console.css
var style []byte

//go:embed assets/console.js
var script []byte

// Asset is a file that pages refer to.
type Asset struct {
	Path string // carries a hash of the content
	Type string
	ETag string
	Body []byte
}

// Assets lists them: the style, then the script.
var Assets = sync.OnceValue(func() []Asset {
	return []Asset{
		newAsset("console", ".css", "text/css; charset=utf-8", style),
		newAsset("console", ".js", "text/javascript; charset=utf-8", script),
	}
})

func newAsset(name, ext, mediaType string, body []byte) Asset {
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:8])
	return Asset{"/assets/" + name + "-" + hash + ext, mediaType, `"` + hash + `"`, body}
}

func stylePath() string  { return Assets()[0].Path }
func scriptPath() string { return Assets()[1].Path }
