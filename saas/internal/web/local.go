package web

import (
	"net/url"
	"strings"
)

// LocalPath lets a redirect lead only to a page of this service; what leads
// elsewhere becomes "".
func LocalPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(next, "/") ||
		strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return ""
	}
	return next
}
