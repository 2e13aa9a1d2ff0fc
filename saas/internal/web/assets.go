package web

import (
	"net/http"

	"assimilation/saas/internal/web/ui"
)

// handleAssets serves the console's style and script. Their names carry a hash
// of their content, so a browser may keep them for good.
func (s *Web) handleAssets() {
	for _, asset := range ui.Assets() {
		s.mux.HandleFunc("GET "+asset.Path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", asset.Type)
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
			w.Header().Set("ETag", asset.ETag)
			if r.Header.Get("If-None-Match") == asset.ETag {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			w.Write(asset.Body)
		})
	}
}
