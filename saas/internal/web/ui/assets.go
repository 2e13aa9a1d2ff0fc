// Package ui is the look of the console: the frame around every page, the
// components that pages are made of, and the style and script, embedded.
// It knows nothing of requests or data.
package ui

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"sync"
)

//go:embed assets
var files embed.FS

// bundle is what npm makes of map/map.js and the library that it draws with;
// empty where the programs were built without npm.
//
//go:embed all:bundle
var bundle embed.FS

// The files that pages refer to.
const (
	icon   = "icon.svg"
	script = "console.js"
	style  = "console.css"
	drawer = "map.js"
	land   = "land.svg" // made by the command in land/
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
	for _, name := range []string{icon, script, style, land} {
		body, err := files.ReadFile("assets/" + name)
		if err != nil {
			panic(fmt.Sprintf("embedded file: %v", err)) // the build holds it
		}
		all[name] = newAsset(name, body)
	}
	if body, err := fs.ReadFile(bundle, "bundle/"+drawer); err == nil {
		all[drawer] = newAsset(drawer, body)
	}
	return all
})

func newAsset(name string, body []byte) Asset {
	sum := sha256.Sum256(body)
	hash, ext := hex.EncodeToString(sum[:8]), path.Ext(name)
	return Asset{"/assets/" + name[:len(name)-len(ext)] + "-" + hash + ext, mediaTypes[ext], `"` + hash + `"`, body}
}

// MapScript is the address of the script that draws maps, or "" where the
// programs were built without npm: maps are then plain pictures.
func MapScript() string { return asset(drawer) }

// Land is the address of the picture of the world's land that sites are put on, of
// 720 by 282 units: half a degree each, from 180° west and 84° north.
func Land() string { return asset(land) }

func asset(name string) string { return Assets()[name].Path }
