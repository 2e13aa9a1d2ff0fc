// Package docs holds the guides, so that the service can show them to people who
// have no copy of the sources.
package docs

import "embed"

// Files are the guides, in Markdown, by their names in this folder.
//
//go:embed *.md adr/*.md kinds/*.md
var Files embed.FS
