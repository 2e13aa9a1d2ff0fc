package tenancytest

import (
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/google/uuid"
)

// Secrets are the values of a tenant that must reach nobody else.
type Secrets struct {
	marker string
	ids    map[uuid.UUID]bool
	texts  []string
}

// NewSecrets makes them of the marker that stands in each name of the tenant, its
// identifiers, and other values that are its own, as addresses.
func NewSecrets(marker string, ids []uuid.UUID, texts ...string) Secrets {
	s := Secrets{marker: marker, ids: map[uuid.UUID]bool{}, texts: texts}
	for _, id := range ids {
		s.ids[id] = true
	}
	return s
}

// uuidLike finds identifiers as they are written, and as the names of graphs and
// roles hold them.
var uuidLike = regexp.MustCompile(`[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}`)

// In returns the first secret that stands in the text, or "". What the attacker
// wrote itself does not count.
func (s Secrets) In(text string, written ...string) string {
	for _, w := range written {
		if w != "" {
			text = strings.ReplaceAll(text, w, "")
		}
	}
	if s.marker != "" {
		if at := strings.Index(strings.ToLower(text), s.marker); at >= 0 {
			return text[max(0, at-20):min(len(text), at+60)]
		}
	}
	for _, found := range uuidLike.FindAllString(text, -1) {
		raw, err := hex.DecodeString(strings.ReplaceAll(found, "-", ""))
		if err == nil && s.ids[uuid.UUID(raw)] {
			return found
		}
	}
	for _, t := range s.texts {
		if strings.Contains(text, t) {
			return t
		}
	}
	return ""
}
